import { once } from 'node:events'
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { execa } from 'execa'
import { UnixHttp } from './unix-http.js'

const START_MS = 60_000

/** A daemon of a fleet, below a directory of its own. */
export class FleetDaemon {
  readonly api: UnixHttp

  private constructor(
    private readonly root: string,
    private readonly process: ChildProcess,
    private readonly socket: string,
  ) {
    this.api = new UnixHttp(socket)
  }

  static async start(root: string, directory: string, flags: readonly string[]): Promise<FleetDaemon> {
    await mkdir(directory)
    const socket = join(directory, 'stagerd.sock')
    const file = join(directory, 'log')
    const log = await open(file, 'a')
    const own = ['--state-dir', join(directory, 'state'), '--socket', socket]
    const child = spawn(join(root, 'bin/stagerd'), [...own, ...flags], { stdio: ['ignore', log.fd, log.fd] })
    await log.close()
    const daemon = new FleetDaemon(root, child, socket)
    const deadline = Date.now() + START_MS
    for (;;) {
      const answer = await daemon.api.open('GET', '/healthz').catch(() => undefined)
      answer?.resume()
      if (answer) return daemon
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`a daemon does not start: ${await readFile(file, 'utf8')}`)
      await delay(100)
    }
  }

  get pid(): number {
    return this.process.pid ?? 0
  }

  readonly stagectl = async (...args: readonly string[]): Promise<void> => {
    await execa(join(this.root, 'bin/stagectl'), args, { env: { STAGERD_SOCKET: this.socket } })
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const ended = once(this.process, 'exit')
    this.process.kill('SIGTERM')
    await ended
  }
}
