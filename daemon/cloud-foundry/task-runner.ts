import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Conflict, NotFound, StagerdError, Unavailable, messageOf } from '../../base/errors.js'
import { zipTar } from '../../base/zip/zip-tar.js'
import type { Droplets } from '../droplets/droplets.js'
import { spool } from '../exchange/spool.js'
import type { LogStore } from '../log/log-store.js'
import type { Staging } from '../model/staging.js'
import type { OutboundClient } from '../outbound/outbound-client.js'
import type { Resource } from '../packages/package.js'
import type { StagingService } from '../staging/staging-service.js'
import type { PackageQuota } from '../store/package-quota.js'
import type { PackageRepository } from '../store/repositories.js'
import type { ResourceIngest } from '../store/resource-ingest.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { Task, TaskRepository } from '../store/task-repository.js'
import type { PlugIns } from './plug-ins.js'
import { packageNameOf, type StagingRequest } from './staging-request.js'
import { TaskLog } from './task-log.js'
import { download, upload } from './transfers.js'

/** The packages of applications. */
export const NAMESPACE = '/cloud-foundry'

export interface TaskRunnerParts {
  readonly client: Pick<OutboundClient, 'request'>
  readonly packages: Pick<PackageRepository, 'get' | 'create'>
  readonly ingest: Pick<ResourceIngest, 'receive'>
  readonly quota: Pick<PackageQuota, 'assert'>
  readonly maxBytes: (namespace: string) => Promise<number>
  readonly stagings: Pick<StagingService, 'submit' | 'cancel'>
  readonly ledger: Pick<StagingLedger, 'get'>
  readonly logs: Pick<LogStore, 'follow'>
  readonly droplets: Pick<Droplets, 'open'>
  readonly tasks: Pick<TaskRepository, 'progress'>
  readonly plugIns: Pick<PlugIns, 'pipelineOf' | 'prepare'>
  /** For files of a transfer. */
  readonly directory: string
  readonly timeoutMs: number
  readonly logger: Pick<Logger, 'warn'>
}

export interface TaskAnswer {
  readonly task_id: string
  readonly task_log: string
  readonly error?: string
}

/** A step of the older service has failed; `message` is what it called that. */
class TaskFailed extends Error {
  constructor(
    message: string,
    readonly reason: unknown,
  ) {
    super(message)
  }
}

const DROPLET_LIMIT_BYTES = 16 * 1024 ** 3
const BUSY_MS = 500

/**
 * Does what one request asks for.
 *
 * A task that was interrupted goes on with its staging, if it has one, and begins anew otherwise. Once its droplet may have
 * been sent, it is not sent again.
 */
export class TaskRunner {
  readonly #parts: TaskRunnerParts

  constructor(parts: TaskRunnerParts) {
    this.#parts = parts
  }

  /** Rejects with the reason of `stop` if that is aborted, and with errors of the store. */
  async run(task: Task, request: StagingRequest, stop: AbortSignal): Promise<TaskAnswer> {
    const { timeoutMs } = this.#parts
    const log = new TaskLog(task.log)
    const timeout = AbortSignal.timeout(timeoutMs)
    const signal = AbortSignal.any([stop, timeout])
    try {
      await this.#steps(task, request, log, signal)
      log.add('Done!')
      return { task_id: task.id, task_log: log.text }
    } catch (error) {
      stop.throwIfAborted()
      const message = timeout.aborted ? `Staging timed out after ${timeoutMs / 1000} seconds.` : undefined
      if (message === undefined && !(error instanceof TaskFailed)) throw error
      const failed = message ?? messageOf(error)
      const reason = error instanceof TaskFailed && message === undefined ? wordsOf(error.reason) : undefined
      if (reason !== undefined && !failed.includes(reason)) log.add(reason)
      log.add(failed)
      return { task_id: task.id, task_log: log.text, error: failed }
    }
  }

  async #steps(task: Task, request: StagingRequest, log: TaskLog, signal: AbortSignal): Promise<void> {
    const { droplets, tasks, client } = this.#parts
    if (task.uploading)
      throw new TaskFailed('Failed uploading droplet', 'stagerd was restarted while the droplet was sent.')
    const staging = task.staging ?? (await this.#begin(task.id, request, log, signal))
    const { packageUuid } = await this.#ended(staging, log, signal)
    log.add('Creating droplet')
    const droplet = await failing('Failed creating droplet', signal, async () => {
      const { name, stream } = await droplets.open({ uuid: packageUuid }, signal)
      return { name: `${name}.tgz`, ...(await this.#spooled(stream, DROPLET_LIMIT_BYTES, signal)) }
    })
    try {
      log.add('Uploading droplet')
      await tasks.progress(task.id, { uploading: true, log: log.text })
      await failing('Failed uploading droplet', signal, () => upload(client, request.uploadUri, droplet, signal))
    } finally {
      await droplet.file.close()
    }
  }

  /** Downloads and submits. Returns the UUID of the staging. */
  async #begin(task: string, request: StagingRequest, log: TaskLog, signal: AbortSignal): Promise<string> {
    const { client, maxBytes, tasks } = this.#parts
    log.add('Setting up temporary directories')
    log.add('Downloading application')
    const name = packageNameOf(request.appId)
    const application = await failing('Failed downloading app', signal, async () =>
      this.#downloaded(await download(client, request.downloadUri, signal), await maxBytes(NAMESPACE), signal),
    )
    let resource: Resource
    try {
      log.add('Unpacking application')
      resource = await failing('Failed unpacking app', signal, () => this.#received(application, signal))
    } finally {
      await application.file.close()
    }
    log.add('Staging application')
    const staging = await failing('Staging plugin failed', signal, () =>
      this.#submit(name, request, resource, log, signal),
    )
    await tasks.progress(task, { staging, log: log.text })
    return staging
  }

  async #received({ file, length }: Spooled, signal: AbortSignal): Promise<Resource> {
    const { ingest, maxBytes } = this.#parts
    const start = Buffer.alloc(4)
    await file.read(start, 0, 4, 0)
    // An unlinked file still has this name.
    const path = `/proc/self/fd/${file.fd}`
    const nothing = () => undefined
    const body = /^PK(?:\x03\x04|\x05\x06)/.test(start.toString('latin1'))
      ? Readable.from(zipTar({ file: path, length, leftOut: { add: nothing }, onForeignName: nothing }), {
          objectMode: false,
        })
      : file.createReadStream({ start: 0, autoClose: false })
    const { resource } = await ingest.receive(body, { maxBytes: await maxBytes(NAMESPACE) }, signal)
    return resource
  }

  /** One staging of an application at a time, as of every package: the others wait. */
  async #submit(
    name: string,
    request: StagingRequest,
    resource: Resource,
    log: TaskLog,
    signal: AbortSignal,
  ): Promise<string> {
    const { packages, stagings, quota, plugIns } = this.#parts
    const pipeline = await plugIns.pipelineOf(request)
    const { dependencies, environment, lines } = await plugIns.prepare(request, resource, signal)
    for (const line of lines) log.add(line)
    const ref = { namespace: NAMESPACE, name }
    await quota.assert(NAMESPACE, resource.length)
    const { limits } = request
    for (;;) {
      signal.throwIfAborted()
      try {
        const { uuid } = await packages.get(ref)
        const source = { resource, dependencies, environment }
        return (await stagings.submit({ uuid }, pipeline, { source, limits })).uuid
      } catch (error) {
        if (error instanceof NotFound && error.code === 'package-not-found')
          await packages
            .create({ ...ref, resource, environment, dependencies, provides: [], templates: [] })
            .catch(unlessCode('package-exists'))
        else {
          unlessCode('package-busy')(error)
          await delay(BUSY_MS, undefined, { signal })
        }
      }
    }
  }

  /** Follows a staging to its end. A task that is over cancels it. */
  async #ended(uuid: string, log: TaskLog, signal: AbortSignal): Promise<Staging> {
    const { logs, ledger, stagings, logger } = this.#parts
    const lines: { readonly text: string; readonly time: Date }[] = []
    const options = { since: 0, follow: true, signal }
    for await (const { stream, text, time } of logs.follow(uuid, options))
      if (stream === 'stdout' || stream === 'stderr') lines.push({ text, time: new Date(time) })
    for (const { text, time } of lines) log.add(text, time)
    if (signal.aborted) {
      // A stop leaves it to the next start.
      if (signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError')
        await stagings.cancel(uuid).catch((error: unknown) => {
          if (!(error instanceof Conflict)) logger.warn({ err: error, staging: uuid }, 'a staging cannot be cancelled')
        })
      throw signal.reason
    }
    const staging = await ledger.get(uuid)
    if (staging.state === 'succeeded') return staging
    const why = staging.failure?.message ?? 'it was cancelled.'
    throw new TaskFailed(`Staging plugin failed: ${why}`, undefined)
  }

  async #downloaded(body: Readable, maxBytes: number, signal: AbortSignal): Promise<Spooled> {
    try {
      return await this.#spooled(body, maxBytes, signal)
    } catch (error) {
      if (error instanceof StagerdError) throw error
      throw new Unavailable('download-failed', 'The application was not sent completely.', { cause: error })
    }
  }

  async #spooled(body: Readable, maxBytes: number, signal: AbortSignal): Promise<Spooled> {
    try {
      return await spool(body, { directory: this.#parts.directory, maxBytes, signal })
    } finally {
      body.destroy()
    }
  }
}

interface Spooled {
  readonly file: FileHandle
  readonly length: number
}

/** Errors that say what went wrong become the error of the step; others are faults of this daemon, and stay. */
async function failing<T>(step: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    signal.throwIfAborted()
    const reason = wordsOf(error)
    throw new TaskFailed(
      step === 'Staging plugin failed' ? `${step}: ${reason ?? 'it cannot be started.'}` : step,
      error,
    )
  }
}

/** Only texts of stagerd, which repeat no URI. */
function wordsOf(reason: unknown): string | undefined {
  if (typeof reason === 'string') return reason
  return reason instanceof StagerdError ? reason.message : undefined
}

function unlessCode(code: string): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof StagerdError) || error.code !== code) throw error
  }
}
