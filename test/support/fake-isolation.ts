import type { Readable } from 'node:stream'
import { pack } from 'tar-stream'
import { createGzip } from 'node:zlib'
import { BadInput, NotFound } from '../../base/errors.js'
import type {
  Cached,
  CoordinatorListener,
  Ending,
  Finding,
  ImageConfig,
  ImageHooks,
  ImagePlan,
  Isolation,
  LaunchHooks,
  OpenImage,
  ReleaseReport,
  RunningContainer,
  RunningLaunch,
  SnapshotReport,
  SweepReport,
} from '../../isolation/isolation.js'
import type { LaunchPlan } from '../../isolation/launch-plan.js'

/** A stager as a function. It ends when the function returns or throws. */
export type FakeStager = (context: FakeContext) => Promise<void>

export interface FakeContext {
  /** STAGER_URL */
  readonly url: string
  readonly plan: LaunchPlan
  readonly print: (line: string) => Promise<void>
  /** Writes to an absolute path of the root. Counts against the disk limit. */
  readonly writeFile: (path: string, text: string) => void
  /** Counts against the memory limit. */
  readonly allocate: (bytes: number) => void
  /** Counts against the pids limit. */
  readonly fork: (processes: number) => void
  readonly exit: (code: number) => never
  /** Aborts when the container is ended from outside. */
  readonly signal: AbortSignal
}

export interface FakeImage {
  /** Maps absolute paths to texts. */
  readonly files: Readonly<Record<string, string>>
  readonly config?: Partial<ImageConfig>
}

/** Thrown through a fake stager by `exit`, and by anything else that ends it from inside. */
class Exit extends Error {
  constructor(readonly ending: Ending) {
    super(ending.kind)
  }
}

/**
 * An isolation without a host: stagers are functions, and each launch uses HTTP on loopback to its coordinator. It
 * passes the same contract suite as the real one.
 */
export class FakeIsolation implements Isolation {
  /** Programs by their start command. */
  readonly stagers = new Map<string, FakeStager>()
  /** IDs of launches that are not released: what would be left on a host. */
  readonly left = new Set<string>()
  /** The plans of all launches, in order. */
  readonly launched: LaunchPlan[] = []
  /** The images for `readImage`, by reference. */
  readonly images = new Map<string, FakeImage>()
  cached: readonly Cached[] = []
  /** When set, the Engine is down: every call rejects with it. */
  down: Error | undefined
  readonly #running = new Set<FakeLaunch>()

  async launch(plan: LaunchPlan, hooks: LaunchHooks, signal: AbortSignal): Promise<RunningLaunch> {
    if (this.down) throw this.down
    signal.throwIfAborted()
    const stager = this.stagers.get(plan.command)
    if (!stager) throw new BadInput('no-such-program', `The fake has no stager '${plan.command}': add one to it.`)
    this.launched.push(plan)
    this.left.add(plan.id)
    const listener = await this.#listen(plan, hooks, signal)
    const launch = new FakeLaunch(plan, hooks, listener, () => {
      this.left.delete(plan.id)
      this.#running.delete(launch)
    })
    this.#running.add(launch)
    launch.begin(stager)
    return launch
  }

  async #listen(plan: LaunchPlan, hooks: LaunchHooks, signal: AbortSignal): Promise<CoordinatorListener> {
    let listener: CoordinatorListener | undefined
    try {
      listener = await hooks.listen('127.0.0.1')
      signal.throwIfAborted()
      return listener
    } catch (error) {
      await listener?.close()
      this.left.delete(plan.id)
      throw error
    }
  }

  run(): Promise<RunningContainer> {
    return Promise.reject(new Error('the fake runs no packages'))
  }

  async readImage<T>(
    { id, reference, leaveOut }: ImagePlan,
    _hooks: ImageHooks,
    use: (image: OpenImage) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    if (this.down) throw this.down
    signal.throwIfAborted()
    const image = this.images.get(reference)
    if (!image) throw new NotFound('no-such-image', `The fake has no image ${reference}.`)
    this.left.add(id)
    try {
      const tar = pack()
      const kept = Object.entries(image.files).filter(
        ([path]) => !leaveOut.some((out) => path === out || path.startsWith(`${out}/`)),
      )
      for (const [path, text] of kept) tar.entry({ name: path.slice(1), mtime: new Date(0) }, text)
      tar.finalize()
      const config = { environment: [], workingDirectory: '', entrypoint: [], command: [], ...image.config }
      return await use({ archive: tar.pipe(createGzip()), config })
    } finally {
      this.left.delete(id)
    }
  }

  caches(): Promise<readonly Cached[]> {
    return Promise.resolve(this.cached)
  }

  discard(cached: Cached): Promise<boolean> {
    this.cached = this.cached.filter((other) => other !== cached)
    return Promise.resolve(true)
  }

  materialise(): Promise<void> {
    return Promise.resolve()
  }

  async sweep(live: ReadonlySet<string>): Promise<SweepReport> {
    await this.ping()
    const removed = [...this.left].filter((id) => !live.has(id))
    for (const id of removed) this.left.delete(id)
    return { removed: removed.map((id) => `launch ${id}`), failures: [] }
  }

  examine(): Promise<readonly Finding[]> {
    return Promise.resolve([])
  }

  ping(): Promise<void> {
    return this.down ? Promise.reject(this.down) : Promise.resolve()
  }

  /** Simulates the loss of the Engine for all running launches. */
  loseEngine(error: Error): void {
    this.down = error
    for (const launch of this.#running) launch.end({ kind: 'engine-lost', error })
  }
}

class FakeLaunch implements RunningLaunch {
  readonly publishedPorts = []
  readonly ended: Promise<Ending>
  readonly #plan: LaunchPlan
  readonly #hooks: LaunchHooks
  readonly #listener: CoordinatorListener
  readonly #gone: () => void
  readonly #files = new Map<string, string>()
  readonly #stop = new AbortController()
  #resolveEnded!: (ending: Ending) => void
  #released: Promise<ReleaseReport> | undefined

  constructor(plan: LaunchPlan, hooks: LaunchHooks, listener: CoordinatorListener, gone: () => void) {
    this.#plan = plan
    this.#hooks = hooks
    this.#listener = listener
    this.#gone = gone
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve))
  }

  begin(stager: FakeStager): void {
    const { timeoutMs } = this.#plan.limits
    const timer = setTimeout(() => this.end({ kind: 'timeout', afterMs: timeoutMs }), timeoutMs)
    void stager(this.#context())
      .then(
        () => this.end({ kind: 'exited', exitCode: 0 }),
        (error: unknown) => this.end(error instanceof Exit ? error.ending : { kind: 'exited', exitCode: 1 }),
      )
      .finally(() => clearTimeout(timer))
  }

  /** The first ending wins. */
  end(ending: Ending): void {
    this.#resolveEnded(ending)
    this.#stop.abort()
  }

  stop(): void {
    this.end({ kind: 'stopped' })
  }

  release(): Promise<ReleaseReport> {
    this.#released ??= this.#release()
    return this.#released
  }

  async snapshot<T>(
    directory: string | undefined,
    write: (archive: Readable) => Promise<T>,
  ): Promise<SnapshotReport<T>> {
    if (directory !== undefined && !directory.startsWith('/'))
      throw new BadInput('bad-directory', 'The directory of a snapshot has to be an absolute path such as /app.')
    const tar = pack()
    const within = `${(directory ?? '').replace(/\/$/, '')}/`
    const names = [...this.#files.keys()].filter((name) => name.startsWith(within)).sort()
    for (const name of names) tar.entry({ name: name.slice(1), mtime: new Date(0) }, this.#files.get(name) ?? '')
    tar.finalize()
    const written = await write(tar.pipe(createGzip()))
    return { written, removals: [], entries: names.length, leftOut: { sockets: 0, special: 0 } }
  }

  async #release(): Promise<ReleaseReport> {
    this.stop()
    await this.#listener.close()
    this.#gone()
    return { failures: [] }
  }

  #context(): FakeContext {
    const { limits } = this.#plan
    let written = 0
    return {
      url: this.#listener.url,
      plan: this.#plan,
      signal: this.#stop.signal,
      print: (line) => this.#hooks.output('stdout', Buffer.from(`${line}\n`)),
      writeFile: (path, text) => {
        written += text.length
        this.#files.set(path, text)
        if (written > limits.diskBytes)
          throw new Exit({ kind: 'disk-full', usedBytes: written, limitBytes: limits.diskBytes })
      },
      allocate: (bytes) => {
        if (bytes > limits.memoryBytes) throw new Exit({ kind: 'out-of-memory', limitBytes: limits.memoryBytes })
      },
      fork: (processes) => {
        if (processes > limits.pids) throw new Exit({ kind: 'pids-limit', limit: limits.pids })
      },
      exit: (code) => {
        throw new Exit({ kind: 'exited', exitCode: code })
      },
    }
  }
}
