import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Docker from 'dockerode'
import { runProcess } from '../../../base/run-process.js'
import { until } from './private-daemon.js'

/**
 * A Docker Engine of the test's own, to be killed at will. It leaves the host's firewall and default bridge alone, so that
 * the Engine beside it does not notice.
 */
export class PrivateEngine {
  readonly directory: string
  readonly engine: Docker
  #process: ChildProcess | undefined

  private constructor(directory: string) {
    this.directory = directory
    this.engine = new Docker({ socketPath: this.socket })
  }

  static async start(): Promise<PrivateEngine> {
    const engine = new PrivateEngine(await mkdtemp(path.join(tmpdir(), 'stagerd-engine-')))
    await engine.restart()
    return engine
  }

  get socket(): string {
    return path.join(this.directory, 'docker.sock')
  }

  /** For a daemon that is to use this one. */
  get environment(): { readonly DOCKER_HOST: string } {
    return { DOCKER_HOST: `unix://${this.socket}` }
  }

  async restart(): Promise<void> {
    const log = openSync(path.join(this.directory, 'log'), 'a')
    this.#process = spawn(
      'dockerd',
      [
        ...['--data-root', path.join(this.directory, 'data')],
        ...['--exec-root', path.join(this.directory, 'exec')],
        ...['--pidfile', path.join(this.directory, 'pid')],
        ...['-H', `unix://${this.socket}`],
        ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--storage-driver=overlay2'],
      ],
      { stdio: ['ignore', log, log] },
    )
    await until('the private Engine answers', async () => {
      if (this.#process?.exitCode !== null)
        throw new Error(`dockerd ended: ${(await readFile(path.join(this.directory, 'log'), 'utf8')).slice(-2000)}`)
      return await this.engine.ping().then(
        () => true,
        () => false,
      )
    })
  }

  /** kill -9 of the Engine alone: containerd, the shims and the containers live on until somebody ends them. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async close(): Promise<void> {
    await this.#end('SIGTERM')
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
    const ours = mounts.map((line) => line.split(' ')[4] ?? '').filter((point) => point.startsWith(this.directory))
    for (const point of ours.reverse()) await runProcess('umount', [point])
    await rm(this.directory, { recursive: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
}
