import { Readable } from 'node:stream'
import type { Logger } from 'pino'
import { NotFound } from '../../base/errors.js'
import { RUNNER } from '../../base/runner.js'
import { END_OF_ARCHIVE, tarEntry } from '../../base/tar-blocks.js'
import { tarTime } from '../../base/tar-time.js'
import type { Droplets } from '../droplets/droplets.js'
import { spool } from '../exchange/spool.js'
import type { LogStore } from '../log/log-store.js'
import type { ResultContent } from '../model/result.js'
import { isTerminal, type Staging } from '../model/staging.js'
import type { StagingService } from '../staging/staging-service.js'
import type { PackageQuota } from '../store/package-quota.js'
import type { PackageRepository } from '../store/repositories.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { Task, TaskRepository } from '../store/task-repository.js'
import { Applications, type ApplicationsParts } from './applications.js'
import type { PlugIns } from './plug-ins.js'
import { packageNameOf, type StagingRequest } from './staging-request.js'
import { TaskLog } from './task-log.js'
import { failing, PLUGIN_FAILED, TaskFailed, unlessCode, wordsOf } from './task-steps.js'
import { upload } from './transfers.js'

/** The packages of applications. */
export const NAMESPACE = '/cloud-foundry'

export interface TaskRunnerParts extends Omit<ApplicationsParts, 'maxBytes'> {
  readonly packages: Pick<PackageRepository, 'get' | 'create'>
  readonly quota: Pick<PackageQuota, 'assert'>
  readonly maxBytes: (namespace: string) => Promise<number>
  readonly stagings: Pick<StagingService, 'submit' | 'supply' | 'refuse' | 'cancel'>
  readonly ledger: Pick<StagingLedger, 'get' | 'results'>
  readonly logs: Pick<LogStore, 'follow'>
  readonly droplets: Pick<Droplets, 'open'>
  readonly tasks: Pick<TaskRepository, 'begin' | 'progress'>
  readonly plugIns: Pick<PlugIns, 'pipelineOf' | 'prepare'>
  readonly timeoutMs: number
  readonly logger: Pick<Logger, 'debug' | 'error'>
}

export interface TaskAnswer {
  readonly task_id: string
  readonly task_log: string
  readonly error?: string
}

const DROPLET_LIMIT_BYTES = 16 * 1024 ** 3
const EPOCH = tarTime(0n)

/** The UUID of the staging of a task, which is the same number. */
export function stagingOf(task: string): string {
  return task.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/**
 * Does what one request asks for.
 *
 * A task has one staging, with its own number, from its begin on. So one that was interrupted finds it: it fetches the
 * application if the staging still waits for that, and goes on with it otherwise. Once its droplet may have been sent, it is
 * not sent again.
 */
export class TaskRunner {
  readonly #parts: TaskRunnerParts
  readonly #applications: Applications
  /** Submissions under way, by their UUIDs. */
  readonly #submissions = new Map<string, Promise<Staging | undefined>>()

  constructor(parts: TaskRunnerParts) {
    this.#parts = parts
    this.#applications = new Applications({ ...parts, maxBytes: () => parts.maxBytes(NAMESPACE) })
  }

  /**
   * Shows a task that waits for its turn as a staging, which is queued, unless another one of its application is there.
   * Throws what `run` answers.
   */
  async enter(task: string, request: StagingRequest, signal: AbortSignal): Promise<void> {
    await this.#submitted(stagingOf(task), request, signal)
  }

  /**
   * Undefined while its application has another staging: nothing was begun then, and its time does not run. Rejects with the
   * reason of `stop` if that is aborted, and with errors of the store.
   */
  async run(task: Task, request: StagingRequest, stop: AbortSignal): Promise<TaskAnswer | undefined> {
    const { timeoutMs } = this.#parts
    const log = new TaskLog(task.log, (step) => this.#parts.logger.debug({ task: task.id }, step))
    let timeout: AbortSignal | undefined
    try {
      if (task.uploading)
        throw new TaskFailed('Failed uploading droplet', 'stagerd was restarted while the droplet was sent.')
      const staging = await this.#entered(task.id, request, stop)
      if (!staging) return undefined
      timeout = AbortSignal.timeout(await this.#timeLeft(task))
      await this.#steps(task, staging, request, log, AbortSignal.any([stop, timeout]))
      log.add('Done!')
      return { task_id: task.id, task_log: log.text }
    } catch (error) {
      stop.throwIfAborted()
      if (timeout?.aborted) return failed(task, log, `Staging timed out after ${timeoutMs / 1000} seconds.`)
      if (!(error instanceof TaskFailed)) throw error
      return failed(task, log, error.message, wordsOf(error.reason))
    }
  }

  /** To be called when the answer is recorded: if that is an error, its staging ends. Idempotent. */
  async settle(task: string, { error, task_log: log }: Pick<TaskAnswer, 'error' | 'task_log'>): Promise<void> {
    if (error === undefined) return
    try {
      const { awaitsSource, state } = await this.#parts.ledger.get(stagingOf(task))
      if (isTerminal(state)) return
      if (awaitsSource) await this.#parts.stagings.refuse(stagingOf(task), log.split('\n').slice(0, -1))
      else await this.#parts.stagings.cancel(stagingOf(task))
    } catch (reason) {
      // It has ended meanwhile, or there never was one.
      unlessCode('state-changed', 'staging-ended', 'staging-not-found')(reason)
    }
  }

  /** In milliseconds. Counted from the first begin, also where the daemon was restarted, or the clock set back. */
  async #timeLeft(task: Task): Promise<number> {
    const { begunAt } = task
    const { timeoutMs, tasks } = this.#parts
    if (begunAt === undefined) await tasks.begin(task)
    const passed = begunAt === undefined ? 0 : Date.now() - Date.parse(begunAt)
    return Math.min(Math.max(timeoutMs - passed, 0), timeoutMs)
  }

  async #steps(
    task: Task,
    entered: Staging,
    request: StagingRequest,
    log: TaskLog,
    signal: AbortSignal,
  ): Promise<void> {
    const { droplets, tasks, client, directory } = this.#parts
    const { staging, printed } = await this.#staged(task, entered, request, log, signal)
    log.add('Creating droplet')
    const droplet = await this.#failing('Failed creating droplet', signal, async () => {
      const { name, stream } = await droplets.open({ uuid: staging.packageUuid }, signal, {
        contentOf: () => this.#madeBy(staging),
        log: printed,
      })
      try {
        const spooled = await spool(stream, { directory, maxBytes: DROPLET_LIMIT_BYTES, signal })
        return { name: `${name}.tgz`, ...spooled }
      } finally {
        stream.destroy()
      }
    })
    try {
      log.add('Uploading droplet')
      await tasks.progress(task, { uploading: true, log: log.text })
      await this.#failing('Failed uploading droplet', signal, () => upload(client, request.uploadUri, droplet, signal))
    } finally {
      await droplet.file.close()
    }
  }

  /** A later request may have made something else of the package by now. Undefined if that is all that is known of it. */
  async #madeBy({ uuid, reused }: Staging): Promise<ResultContent | undefined> {
    const results = await this.#parts.ledger.results(uuid)
    const by = (staging: string) =>
      results.find(({ origin }) => origin.kind === 'staging' && origin.staging === staging)?.content
    return by(uuid) ?? (reused === undefined ? undefined : by(reused))
  }

  /** The staging when it has succeeded, and what its stagers have printed. */
  async #staged(
    task: Task,
    staging: Staging,
    request: StagingRequest,
    log: TaskLog,
    signal: AbortSignal,
  ): Promise<{ readonly staging: Staging; readonly printed: string }> {
    const { ledger } = this.#parts
    const ended = new AbortController()
    const output = this.#output(staging.uuid, signal).finally(() => ended.abort())
    // If the fetch fails first, nobody waits for it.
    output.catch(() => undefined)
    if (staging.awaitsSource && !isTerminal(staging.state)) {
      log.clear()
      try {
        await this.#supply(task, request, log, AbortSignal.any([signal, ended.signal]))
      } catch (error) {
        signal.throwIfAborted()
        // Otherwise, a user has cancelled it, or another node whose term has ended has brought the source all the same.
        const { awaitsSource, state } = await ledger.get(staging.uuid)
        if (awaitsSource && !isTerminal(state)) throw error
      }
    }
    const lines = await output
    for (const { text, time } of lines) log.addAt(text, time)
    signal.throwIfAborted()
    const result = await ledger.get(staging.uuid)
    if (result.state === 'succeeded') return { staging: result, printed: lines.map(({ text }) => `${text}\n`).join('') }
    throw new TaskFailed(`${PLUGIN_FAILED}: ${result.failure?.message ?? 'it was cancelled.'}`, undefined)
  }

  /** See `#submitted`. It appears before anything is fetched. */
  #entered(task: string, request: StagingRequest, signal: AbortSignal): Promise<Staging | undefined> {
    return this.#failing(PLUGIN_FAILED, signal, () => this.#submitted(stagingOf(task), request, signal))
  }

  /** The staging of a task, which is submitted if there is none yet. Undefined while another one of its application is there. Several callers make one. */
  #submitted(uuid: string, request: StagingRequest, signal: AbortSignal): Promise<Staging | undefined> {
    const underWay = this.#submissions.get(uuid)
    if (underWay) return underWay
    const submission = this.#submit(uuid, request, signal).finally(() => this.#submissions.delete(uuid))
    this.#submissions.set(uuid, submission)
    return submission
  }

  async #submit(uuid: string, request: StagingRequest, signal: AbortSignal): Promise<Staging | undefined> {
    const { packages, stagings, ledger, plugIns } = this.#parts
    const found = await ledger.get(uuid).catch(unlessCode('staging-not-found'))
    if (found) return found
    const pipeline = await plugIns.pipelineOf(request)
    const ref = { namespace: NAMESPACE, name: packageNameOf(request.appId) }
    const { limits } = request
    for (;;) {
      signal.throwIfAborted()
      try {
        const subject = await packages.get(ref)
        return await stagings.submit({ uuid: subject.uuid }, pipeline, { uuid, awaitsSource: true, limits })
      } catch (error) {
        if (error instanceof NotFound && error.code === 'package-not-found') await this.#create(ref, signal)
        else {
          unlessCode('package-busy')(error)
          return undefined
        }
      }
    }
  }

  /** A package has data: until that of the application has come, an empty directory. */
  async #create(ref: { readonly namespace: string; readonly name: string }, signal: AbortSignal): Promise<void> {
    const { packages, ingest } = this.#parts
    const directory = tarEntry({ path: 'app', kind: 'directory', mode: 0o755, owner: RUNNER, time: EPOCH })
    const { resource } = await ingest.receive(Readable.from([directory, END_OF_ARCHIVE]), {}, signal)
    const nothing = { environment: {}, dependencies: [], provides: [], templates: [] }
    await packages.create({ ...ref, ...nothing, resource }).catch(unlessCode('package-exists'))
  }

  /** Fetches the application for the staging that waits for it. */
  async #supply(task: Task, request: StagingRequest, log: TaskLog, signal: AbortSignal): Promise<void> {
    const { stagings, tasks, quota, plugIns } = this.#parts
    log.add('Setting up temporary directories')
    log.add('Downloading application')
    const application = await this.#failing('Failed downloading app', signal, () =>
      this.#applications.download(request.downloadUri, signal),
    )
    try {
      log.add('Unpacking application')
      const resource = await this.#failing('Failed unpacking app', signal, async () => {
        const unpacked = await this.#applications.unpack(application, signal)
        await quota.assert(NAMESPACE, unpacked.length)
        return unpacked
      })
      log.add('Staging application')
      await this.#failing(PLUGIN_FAILED, signal, async () => {
        const { dependencies, environment, lines } = await plugIns.prepare(request, resource, signal)
        for (const line of lines) log.add(line)
        // First: the log of a task whose staging has its source is not begun anew.
        await tasks.progress(task, { log: log.text })
        await stagings.supply(stagingOf(task.id), { resource, dependencies, environment, ownEnvironment: true })
      })
    } finally {
      await application.file.close()
    }
  }

  /** What its stagers print, when it has ended. */
  async #output(uuid: string, signal: AbortSignal): Promise<readonly { readonly text: string; readonly time: Date }[]> {
    const lines: { readonly text: string; readonly time: Date }[] = []
    for await (const { stream, text, time } of this.#parts.logs.follow(uuid, { since: 0, follow: true, signal }))
      if (stream === 'stdout' || stream === 'stderr') lines.push({ text, time: new Date(time) })
    return lines
  }

  #failing<T>(step: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const tell = (error: unknown) =>
      this.#parts.logger.error({ err: error, step }, 'a task of Cloud Foundry has failed')
    return failing(step, { signal, tell }, work)
  }
}

function failed(task: Task, log: TaskLog, message: string, reason?: string): TaskAnswer {
  if (reason !== undefined && !message.includes(reason)) log.add(reason)
  log.add(message)
  return { task_id: task.id, task_log: log.text, error: message }
}
