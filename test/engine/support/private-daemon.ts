import { once } from 'node:events'
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, createReadStream, openSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { Agent, request } from 'undici'
import type { Package, UploadedResource } from '../../../daemon/documents/package.js'
import type { Stager, StagerDraft } from '../../../daemon/documents/stager.js'
import type { LogLine, Staging, StagingDraft } from '../../../daemon/documents/staging.js'
import { patience } from '../../support/lost-time.js'
import { ON_DISK } from './on-disk.js'
import type { PrivateHost } from './private-host.js'

export const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url))

/** For tests that also concern containers that are created ahead. The variable CREATED_AHEAD says how many all tests have. */
export const CREATED_AHEAD = ['--prepared', process.env.CREATED_AHEAD ?? '2']

interface Place {
  /** For its file `log`; by default its own directory. */
  readonly logDirectory?: string
  /** By default that of the test. */
  readonly host?: PrivateHost | undefined
}

/** The built stagerd with its own state directory and socket. Without flags or the variable, no container is created ahead. */
export class PrivateDaemon {
  readonly socket: string
  readonly host: PrivateHost | undefined
  readonly #logFile: string
  #flags: readonly string[]
  readonly #environment: NodeJS.ProcessEnv
  readonly #agent: Agent
  #process: ChildProcess | undefined

  private constructor(
    readonly directory: string,
    flags: readonly string[],
    environment: NodeJS.ProcessEnv,
    { logDirectory = directory, host }: Place,
  ) {
    this.socket = path.join(directory, 'stagerd.sock')
    this.host = host
    this.#logFile = path.join(logDirectory, 'log')
    this.#flags = flags
    this.#environment = environment
    this.#agent = new Agent({ connect: { socketPath: this.socket }, headersTimeout: 0, bodyTimeout: 0 })
  }

  /**
   * @param flags of stagerd, beyond the state directory and the socket
   * @param environment overrides the environment of the test
   */
  static async start(
    flags: readonly string[] = [],
    environment: NodeJS.ProcessEnv = {},
    place: Place = {},
  ): Promise<PrivateDaemon> {
    const directory = await mkdtemp(path.join(ON_DISK, 'stagerd-test-'))
    const daemon = new PrivateDaemon(directory, flags, environment, place)
    await daemon.restart()
    return daemon
  }

  get stateDirectory(): string {
    return path.join(this.directory, 'state')
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  get isRunning(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null
  }

  /** Starts it again on the same state, after its end, from now on with these flags. */
  async restart(flags = this.#flags): Promise<void> {
    this.#flags = flags
    this.spawn()
    await until('the daemon answers', async () => {
      if (this.#hasEnded) throw new Error(`stagerd ended: ${await this.log()}`)
      return (await this.call('GET', '/healthz').catch(() => undefined))?.status === 200
    })
  }

  /** As `restart`, without waiting until it answers. It may be killed before. @returns its process id */
  spawn(): number {
    const log = openSync(this.#logFile, 'a')
    const [program, ...args] = [...(this.host?.enter ?? []), path.join(CHECKOUT, 'bin/stagerd')]
    const here = ['--state-dir', this.stateDirectory, '--socket', this.socket]
    const common = ['--log-level', 'debug', '--prepared', process.env.CREATED_AHEAD ?? '0']
    this.#process = spawn(program, [...args, ...here, ...common, ...this.#flags], {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...this.#environment },
    })
    closeSync(log)
    return this.pid
  }

  /** Resolves when its process has ended. */
  async gone(): Promise<void> {
    if (this.#process && !this.#hasEnded) await once(this.#process, 'exit')
  }

  /** Sends SIGKILL. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Sends SIGTERM, like systemd. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** Stops it and removes its state. */
  async close(): Promise<void> {
    await this.stop()
    await this.#agent.close()
    await rm(this.directory, { recursive: true })
  }

  async log(): Promise<string> {
    return await readFile(this.#logFile, 'utf8')
  }

  async nodeId(): Promise<string> {
    return (await readFile(path.join(this.stateDirectory, 'node-id'), 'utf8')).trim()
  }

  async call(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    document?: unknown,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const response = await request(`http://stagerd${url}`, {
      method,
      dispatcher: this.#agent,
      ...(signal ? { signal } : {}),
      ...(document === undefined
        ? {}
        : { body: JSON.stringify(document), headers: { 'content-type': 'application/json' } }),
    })
    const text = await response.body.text()
    return {
      status: response.statusCode,
      text,
      document: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : undefined,
    }
  }

  /** Returns the document of the response. Throws unless the status is 2xx. */
  async ask<T>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, document?: unknown): Promise<T> {
    const answer = await this.call(method, url, document)
    if (answer.status < 200 || answer.status > 299) throw new Error(`${method} ${url}: ${answer.status} ${answer.text}`)
    return answer.document as T
  }

  async upload(tarball: string): Promise<UploadedResource> {
    const response = await request('http://stagerd/v1/resources', {
      method: 'POST',
      dispatcher: this.#agent,
      headers: { 'content-type': 'application/octet-stream' },
      body: createReadStream(tarball),
    })
    if (response.statusCode > 299) throw new Error(`upload: ${response.statusCode} ${await response.body.text()}`)
    return (await response.body.json()) as UploadedResource
  }

  /** The tarball of the package at this URL of the API. */
  async download(url: string): Promise<Buffer> {
    const response = await request(`http://stagerd${url}/data`, { dispatcher: this.#agent })
    if (response.statusCode !== 200) throw new Error(`download: ${response.statusCode} ${await response.body.text()}`)
    return Buffer.from(await response.body.arrayBuffer())
  }

  async addPackage(
    tarball: string,
    name: string,
    more: {
      provides?: string
      dependencies?: string
      environment?: Record<string, string>
      state?: 'uploaded' | 'ready'
    } = {},
  ): Promise<Package> {
    const { sha256 } = await this.upload(tarball)
    return await this.ask<Package>('POST', '/v1/packages', {
      namespace: '/',
      name,
      resource: sha256,
      state: more.state ?? 'ready',
      provides: capabilities(more.provides),
      dependencies: capabilities(more.dependencies),
      environment: more.environment ?? {},
    })
  }

  /** Creates a stager, and a pipeline of the same name with only this stager. */
  async addStager(draft: Omit<StagerDraft, 'namespace'>): Promise<Stager> {
    const stager = await this.ask<Stager>('POST', '/v1/stagers', { namespace: '/', ...draft })
    await this.ask('POST', '/v1/stagingpipelines', { namespace: '/', name: draft.name, stagers: [stager.uuid] })
    return stager
  }

  submit(packageName: string, pipeline: string, more: Partial<StagingDraft> = {}): Promise<Staging> {
    return this.ask<Staging>('POST', '/v1/stagings', {
      package: `package::/::${packageName}`,
      pipeline: `stagpipe::/::${pipeline}`,
      ...more,
    })
  }

  /**
   * Waits for the end of a staging. Its log ends with it: whoever asks again and again instead takes the processor from what
   * is waited for. The log also ends when the daemon is killed.
   */
  async ended(uuid: string, deadlineMs = 90_000): Promise<Staging> {
    const deadline = Date.now() + patience(deadlineMs)
    const log = `/v1/stagings/${uuid}/log?follow=true`
    const signal = AbortSignal.timeout(deadline - Date.now())
    const followed = await this.call('GET', log, undefined, signal).catch(() => undefined)
    let staging: Staging | undefined
    await until(
      `staging ${uuid} has ended`,
      async () => {
        staging = await this.ask<Staging>('GET', `/v1/stagings/${uuid}`)
        return staging.state !== 'queued' && staging.state !== 'running'
      },
      deadline - Date.now(),
    )
    if (followed?.status !== 200) await this.lines(uuid)
    return staging!
  }

  /** The complete log after the end of the staging, or the current one. */
  async lines(uuid: string, { follow = true } = {}): Promise<LogLine[]> {
    const { text } = await this.call('GET', `/v1/stagings/${uuid}/log?follow=${String(follow)}`)
    return [
      ...text.matchAll(/^event: line\r?\n(?:id: \d+\r?\n)?data: (.*)$|^id: \d+\r?\nevent: line\r?\ndata: (.*)$/gm),
    ].map(([, a, b]) => JSON.parse(a ?? b ?? '') as LogLine)
  }

  async text(uuid: string, options: { follow?: boolean } = {}): Promise<string> {
    return (await this.lines(uuid, options)).map(({ text }) => text).join('\n')
  }

  stagectl(...args: string[]) {
    return execa(path.join(CHECKOUT, 'bin/stagectl'), args, {
      reject: false,
      env: { STAGERD_SOCKET: this.socket, XDG_CONFIG_HOME: this.directory, XDG_CACHE_HOME: this.directory },
    })
  }

  /** Also when it was never started. */
  get #hasEnded(): boolean {
    const { exitCode, signalCode } = this.#process ?? { exitCode: 0, signalCode: null }
    return exitCode !== null || signalCode !== null
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#hasEnded) return
    this.#process?.kill(signal)
    await this.gone()
  }
}

export interface Answer {
  readonly status: number
  readonly text: string
  readonly document: unknown
}

/** The deadline allows for slow hosts: an Engine that removes large layers does not respond for seconds. */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  deadlineMs = 90_000,
): Promise<void> {
  const began = Date.now()
  const limit = patience(deadlineMs)
  while (!(await condition())) {
    const waited = Date.now() - began
    if (waited > limit) throw new Error(`waited in vain until ${what}`)
    // Questions in quick succession take the processor from what is waited for.
    await delay(Math.min(Math.max(20, waited / 20), 200))
  }
}

function capabilities(text = ''): { type: string; name: string }[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => ({ type: word.slice(0, word.indexOf('.')), name: word.slice(word.indexOf('.') + 1) }))
}
