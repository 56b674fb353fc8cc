import { runProcess } from '../base/run-process.js'

type Environment = Readonly<Record<string, string | undefined>>

/** A ping that is late or lost must not end the daemon: three fit into the time that systemd waits. */
const PINGS_IN_TIME = 3

/**
 * Reports to systemd (`Type=notify`); does nothing under another parent. Node cannot send datagrams to a Unix socket, so
 * `systemd-notify` does it, in the name of its parent process.
 */
export class ServiceManager {
  readonly #environment: Environment
  readonly #run: typeof runProcess
  #watchdog: NodeJS.Timeout | undefined
  #status = ''

  constructor(environment: Environment, run: typeof runProcess = runProcess) {
    this.#environment = environment
    this.#run = run
  }

  /** Also starts to ping, if the unit has a `WatchdogSec`: a daemon whose event loop hangs is then restarted. */
  async ready(): Promise<void> {
    await this.#notify('READY=1')
    const microseconds = Number(this.#environment.WATCHDOG_USEC)
    if (!(microseconds > 0)) return
    const ping = () => void this.#notify('WATCHDOG=1').catch(() => undefined)
    this.#watchdog ??= setInterval(ping, microseconds / 1000 / PINGS_IN_TIME).unref()
  }

  /** Shown by `systemctl status`. */
  async status(text: string): Promise<void> {
    if (text === this.#status) return
    await this.#notify(`STATUS=${text}`)
    this.#status = text
  }

  /** `ready` ends the reload. */
  async reloading(): Promise<void> {
    await this.#notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
  }

  /** @param milliseconds how long the stop may take, which can be more than the unit allows */
  async stopping(milliseconds: number): Promise<void> {
    await this.#notify('STOPPING=1', `EXTEND_TIMEOUT_USEC=${milliseconds * 1000}`)
  }

  /** The pings go on until then: a stop that hangs is ended as well. */
  close(): void {
    clearInterval(this.#watchdog)
  }

  /** As variables: the option `--stopping` came with systemd 253, and Debian 12 has 252. */
  async #notify(...variables: readonly string[]): Promise<void> {
    const socket = this.#environment.NOTIFY_SOCKET
    if (socket === undefined || socket === '') return
    await this.#run('systemd-notify', [...variables], { env: { NOTIFY_SOCKET: socket }, timeoutMs: 30_000 })
  }
}
