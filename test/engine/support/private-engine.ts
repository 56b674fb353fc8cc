import { randomBytes } from 'node:crypto'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import Docker from 'dockerode'
import { runProcess } from '../../../base/run-process.js'
import { until } from './private-daemon.js'
import { ON_DISK } from './on-disk.js'
import type { PrivateHost } from './private-host.js'

/** Every host has it. */
const ACCOUNT = 'daemon'

/**
 * A private Docker Engine that a test can kill. It does not touch the firewall and the default bridge of the host, so
 * that the other Engine is not affected. On a private host, it has both to itself.
 */
export class PrivateEngine {
  /** The address range for bridges: it must not overlap with that of the other Engine, which this one does not know. */
  readonly addressPool = '198.19.0.0/17'
  readonly directory: string
  readonly engine: Docker
  /** Not `none`: an Engine that starts with `none` removes docker0, which belongs to the other Engine. */
  readonly #bridge = `sdt-${randomBytes(4).toString('hex')}`
  #containerd: ChildProcess | undefined
  #dockerd: ChildProcess | undefined

  private constructor(
    directory: string,
    private readonly storageDriver: string,
    private readonly ranges: readonly string[],
    private readonly host: PrivateHost | undefined,
  ) {
    this.directory = directory
    this.engine = new Docker({ socketPath: this.socket })
  }

  /**
   * @param ranges `FIRST:LENGTH` of the ids to which those of containers are remapped; none if they are not
   * @param host on which it runs; by default that of the test
   */
  static async start(
    storageDriver = 'overlay2',
    ranges: readonly string[] = [],
    host?: PrivateHost,
  ): Promise<PrivateEngine> {
    const directory = await mkdtemp(path.join(ON_DISK, 'stagerd-engine-'))
    const engine = new PrivateEngine(directory, storageDriver, ranges, host)
    // The remapped root of containers must be able to enter it.
    if (ranges.length > 0) await chmod(engine.directory, 0o711)
    if (!host) {
      await runProcess('ip', ['link', 'add', engine.#bridge, 'type', 'bridge'])
      await runProcess('ip', ['address', 'add', '198.19.255.1/24', 'dev', engine.#bridge])
    }
    await engine.#startContainerd()
    await engine.restart()
    return engine
  }

  get socket(): string {
    return path.join(this.directory, 'docker.sock')
  }

  /** The environment for a daemon that uses this Engine. */
  get environment(): { readonly DOCKER_HOST: string } {
    return { DOCKER_HOST: `unix://${this.socket}` }
  }

  get isRunning(): boolean {
    return this.#dockerd !== undefined && !hasEnded(this.#dockerd)
  }

  async restart(): Promise<void> {
    if (this.ranges.length === 0) await this.#startDockerd([])
    else await this.#withRanges(() => this.#startDockerd([`--userns-remap=${ACCOUNT}`]))
  }

  async #startDockerd(flags: readonly string[]): Promise<void> {
    // Not the settings of the other Engine: their image store, address pools and labels would apply here too.
    this.#dockerd = this.#spawn('dockerd', [
      ...['--config-file', await this.#settings('daemon.json', '{}')],
      ...['--data-root', path.join(this.directory, 'data')],
      ...['--exec-root', path.join(this.directory, 'exec')],
      ...['--pidfile', path.join(this.directory, 'pid')],
      ...['--containerd', this.#containerdSocket],
      ...['-H', `unix://${this.socket}`],
      ...(this.host ? [] : ['--bridge', this.#bridge, '--iptables=false', '--ip6tables=false']),
      `--storage-driver=${this.storageDriver}`,
      ...flags,
    ])
    await until('the private Engine answers', async () => {
      if (this.#dockerd?.exitCode !== null) throw new Error(`dockerd ended: ${await this.#lastWords()}`)
      return await this.engine.ping().then(
        () => true,
        () => false,
      )
    })
  }

  /** Sends SIGKILL to dockerd only: containerd, the shims and the containers keep running. */
  async kill(): Promise<void> {
    await end(this.#dockerd, 'SIGKILL')
  }

  /** As a service manager does: dockerd ends its containers, and then itself. */
  async stop(): Promise<void> {
    await end(this.#dockerd, 'SIGTERM')
  }

  async close(): Promise<void> {
    await this.stop()
    await end(this.#containerd, 'SIGTERM')
    // Those on a private host go with its namespace.
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
    const ours = mounts.map((line) => line.split(' ')[4] ?? '').filter((point) => point.startsWith(this.directory))
    for (const point of ours.reverse()) await runProcess('umount', [point])
    if (!this.host) await runProcess('ip', ['link', 'delete', this.#bridge])
    await rm(this.directory, { recursive: true })
  }

  /** dockerd reads the files of the host once, when it starts: until then, others are mounted over them. */
  async #withRanges(start: () => Promise<void>): Promise<void> {
    const file = path.join(this.directory, 'ranges')
    await writeFile(file, this.ranges.map((range) => `${ACCOUNT}:${range}\n`).join(''))
    const mounted: string[] = []
    try {
      for (const target of ['/etc/subuid', '/etc/subgid']) {
        await runProcess('mount', ['--bind', file, target])
        mounted.push(target)
      }
      await start()
    } finally {
      for (const target of mounted) await runProcess('umount', [target])
    }
  }

  /**
   * Starts containerd as a separate service, like systemd. A containerd that dockerd starts dies with it, and where PID
   * 1 does not reap orphans, the next dockerd takes the zombie for a running containerd.
   */
  async #startContainerd(): Promise<void> {
    this.#containerd = this.#spawn('containerd', [
      ...['--config', await this.#settings('containerd.toml', 'version = 2\n')],
      ...['--address', this.#containerdSocket],
      ...['--root', path.join(this.directory, 'containerd')],
      ...['--state', path.join(this.directory, 'containerd-state')],
    ])
    await until('its containerd listens', () => existsSync(this.#containerdSocket))
  }

  get #containerdSocket(): string {
    return path.join(this.directory, 'containerd.sock')
  }

  async #settings(name: string, text: string): Promise<string> {
    const file = path.join(this.directory, name)
    await writeFile(file, text)
    return file
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(path.join(this.directory, 'log'), 'a')
    try {
      const [file = '', ...all] = [...(this.host?.enter ?? []), program, ...args]
      return spawn(file, all, { stdio: ['ignore', log, log] })
    } finally {
      closeSync(log)
    }
  }

  async #lastWords(): Promise<string> {
    return (await readFile(path.join(this.directory, 'log'), 'utf8')).slice(-2000)
  }
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (!child || hasEnded(child)) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}
