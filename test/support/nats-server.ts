import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { freePort } from './free-port.js'
import { until } from './until.js'

/** A nats-server on loopback, from the package `nats-server` of the distribution. */
export class NatsServer {
  #child: ChildProcess | undefined

  private constructor(
    readonly port: number,
    private readonly flags: readonly string[],
  ) {}

  static async open(...flags: readonly string[]): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), flags)
    await server.start()
    return server
  }

  async start(): Promise<void> {
    const flags = ['--addr', '127.0.0.1', '--port', String(this.port), ...this.flags]
    this.#child = spawn('nats-server', flags, { stdio: 'ignore' })
    await until('nats-server listens', () => listens(this.port))
  }

  /** Has it read its configuration again. */
  reload(): void {
    this.#child?.kill('SIGHUP')
  }

  /** As if its host had lost its power. Does nothing for one that is stopped. */
  async stop(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child) return
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
