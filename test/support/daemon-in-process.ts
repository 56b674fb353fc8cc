import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { Agent, request } from 'undici'
import { CleanupStack } from '../../base/cleanup-stack.js'
import { stagectl } from '../../cli/stagectl.js'
import { buildApp } from '../../daemon/app.js'
import { Daemon } from '../../daemon/lifecycle.js'
import { loadSettings } from '../../daemon/settings/load-settings.js'
import { CapturedIo } from '../cli/support/captured-io.js'
import { FakeIsolation } from './fake-isolation.js'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** The whole daemon in this process, on a fake isolation: programs of stagers are functions (`isolation.stagers`). */
export class DaemonInProcess {
  readonly isolation = new FakeIsolation()
  /** The entries of its log, one JSON document each. */
  readonly log: string[] = []
  #running: Daemon | undefined

  private constructor(
    /** Holds the state directory and the control socket, and is where `stagectl` runs. Removed with the daemon. */
    readonly directory: string,
    /** Names of settings in camel case. */
    public flags: Readonly<Record<string, string>>,
  ) {}

  static async start(flags: Readonly<Record<string, string>> = {}): Promise<DaemonInProcess> {
    const daemon = new DaemonInProcess(await mkdtemp(path.join(tmpdir(), 'stagerd-process-')), flags)
    await daemon.start()
    return daemon
  }

  get stateDirectory(): string {
    return path.join(this.directory, 'state')
  }

  get socket(): string {
    return path.join(this.directory, 'stagerd.sock')
  }

  /** Rejects as the start of stagerd fails. */
  async start(): Promise<void> {
    const settings = await loadSettings({
      // The only group that a user who is not root can give a socket to.
      flags: {
        stateDir: this.stateDirectory,
        socket: this.socket,
        group: String(process.getgid?.() ?? 0),
        ...this.flags,
      },
      environment: {},
      file: path.join(this.directory, 'stagerd.toml'),
      fileIsRequired: false,
      workingDirectory: this.directory,
    })
    const write = (chunk: Buffer, _encoding: unknown, done: () => void) => {
      this.log.push(chunk.toString())
      done()
    }
    const logger = pino({ level: settings.logLevel }, new Writable({ write }))
    const undo = new CleanupStack()
    try {
      const app = await buildApp(
        settings,
        { version: '1', logger, environment: {}, buildIsolation: () => Promise.resolve(this.isolation) },
        undo,
      )
      this.#running = new Daemon(app, settings, logger, undo)
    } catch (error) {
      await undo.run()
      throw error
    }
    await this.#running.start()
  }

  async stop(): Promise<void> {
    await this.#running?.stop()
    this.#running = undefined
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** Stops it and removes all that it has. */
  async close(): Promise<void> {
    await this.stop()
    await rm(this.directory, { recursive: true })
  }

  /** Reads the certificate of the control address again, as on SIGHUP. */
  async reload(): Promise<void> {
    await this.#running?.reloadCertificates()
  }

  /** Whether an entry of the log has this text. */
  said(text: string): boolean {
    return this.log.some((entry) => entry.includes(text))
  }

  /** Runs stagectl in `cwd` against this daemon. */
  async stagectl(
    argv: readonly string[],
    { cwd = this.directory, env = {} }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
  ): Promise<Ran> {
    const io = new CapturedIo(cwd, { env: { STAGERD_SOCKET: this.socket, ...env } })
    io.stdin.end()
    const code = await stagectl(argv, io)
    return { code, out: io.out, err: io.err }
  }

  /** A GET request over the control socket, with the status and the fields of the document that answers it. */
  async get(url: string): Promise<Readonly<Record<string, unknown>> & { readonly status: number }> {
    const agent = new Agent({ connect: { socketPath: this.socket } })
    try {
      const { statusCode, body } = await request(`http://stagerd${url}`, { dispatcher: agent })
      return { ...((await body.json()) as Record<string, unknown>), status: statusCode }
    } finally {
      await agent.close()
    }
  }

  /** Runs stagectl, and returns what it prints. Throws if it fails. */
  async made(...argv: string[]): Promise<string> {
    const { code, out, err } = await this.stagectl(argv)
    if (code !== 0) throw new Error(`stagectl ${argv.join(' ')}: ${out}${err}`)
    return out
  }
}
