import type { Readable } from 'node:stream'
import { pack } from 'tar-stream'
import { createGzip } from 'node:zlib'
import { BadInput, NotFound } from '../../base/errors.js'
import type {
  Cached,
  Ending,
  Finding,
  ImageConfig,
  ImageHooks,
  ImagePlan,
  Isolation,
  OpenImage,
  PreparedContainer,
  PrepareHooks,
  RunningContainer,
  SnapshotReport,
  StartHooks,
  SweepReport,
} from '../../isolation/isolation.js'
import type { LayerSource, PreparePlan, StartPlan } from '../../isolation/launch-plan.js'

/** A stager, or another program, as a function. It is over when it returns, and has failed to end well when it throws. */
export type FakeStager = (context: FakeContext) => Promise<void>

export interface FakeContext {
  /** STAGER_URL; empty for a run. */
  readonly url: string
  readonly plan: PreparePlan & StartPlan
  /** Resolves when the line has been taken. Who does not wait for that has it taken all the same, before the end. */
  readonly print: (line: string) => Promise<void>
  /** At an absolute path of the root. Counts against the disk limit. */
  readonly writeFile: (path: string, text: string) => void
  /** Counts against the memory limit. */
  readonly allocate: (bytes: number) => void
  /** Counts against the pids limit. */
  readonly fork: (processes: number) => void
  readonly exit: (code: number) => never
  /** Aborted when the container is ended from outside. */
  readonly signal: AbortSignal
}

export interface FakeImage {
  /** Text by absolute path. */
  readonly files: Readonly<Record<string, string>>
  readonly config?: Partial<ImageConfig>
}

/** Thrown through a fake stager by `exit`, and by whatever ends it from inside. */
class Exit extends Error {
  constructor(readonly ending: Ending) {
    super(ending.kind)
  }
}

/**
 * An isolation without a host: programs are functions, and each speaks HTTP with its coordinator on loopback.
 * It passes the contract suite of the real one.
 */
export class FakeIsolation implements Isolation {
  /** Programs by their start command. */
  readonly stagers = new Map<string, FakeStager>()
  /** Ids of containers that have been prepared and not released: what would be left on a host. */
  readonly left = new Set<string>()
  /** What `readImage` finds, by reference. */
  readonly images = new Map<string, FakeImage>()
  /** Names of the packages whose layers were asked for. */
  readonly materialised: string[] = []
  cached: readonly Cached[] = []
  /** When set, the Engine is down: every call rejects with it. */
  down: Error | undefined
  readonly #running = new Set<FakeRunning>()

  async prepare(plan: PreparePlan, hooks: PrepareHooks, signal: AbortSignal): Promise<PreparedContainer> {
    await this.ping()
    signal.throwIfAborted()
    hooks.step?.('network', 0)
    signal.throwIfAborted()
    this.left.add(plan.id)
    let running: FakeRunning | undefined
    return {
      address: '127.0.0.1',
      start: async (start, startHooks, startSignal) => {
        await this.ping()
        startSignal.throwIfAborted()
        hooks.step?.('start', 0)
        startSignal.throwIfAborted()
        running = this.#start({ ...plan, ...start }, startHooks)
        return running
      },
      release: async () => {
        running?.stop()
        await running?.ended
        this.left.delete(plan.id)
        return { failures: [] }
      },
    }
  }

  #start(plan: PreparePlan & StartPlan, hooks: StartHooks): FakeRunning {
    const program = this.stagers.get(plan.command)
    if (!program) throw new BadInput('no-such-program', `The fake has no stager '${plan.command}': add one to it.`)
    if (plan.publish.length > 0) throw new Error('the fake publishes no ports')
    const running = new FakeRunning(plan, hooks)
    this.#running.add(running)
    void running.ended.then(() => this.#running.delete(running))
    running.begin(program)
    return running
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

  async materialise(source: LayerSource): Promise<void> {
    await this.ping()
    this.materialised.push(source.name)
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

  /** The Engine goes away under everything that runs. */
  loseEngine(error: Error): void {
    this.down = error
    for (const launch of this.#running) launch.end({ kind: 'engine-lost', error })
  }
}

class FakeRunning implements RunningContainer {
  readonly publishedPorts = []
  readonly ended: Promise<Ending>
  readonly #plan: PreparePlan & StartPlan
  readonly #hooks: StartHooks
  readonly #files = new Map<string, string>()
  readonly #stop = new AbortController()
  /** Settles when everything that was printed so far has been taken, piece after piece. */
  #printed: Promise<void> = Promise.resolve()
  #resolveEnded!: (ending: Ending) => void

  constructor(plan: PreparePlan & StartPlan, hooks: StartHooks) {
    this.#plan = plan
    this.#hooks = hooks
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve))
  }

  begin(program: FakeStager): void {
    const { timeoutMs } = this.#plan.limits
    const timer =
      timeoutMs === Infinity
        ? undefined
        : setTimeout(() => this.end({ kind: 'timeout', afterMs: timeoutMs }), timeoutMs)
    void program(this.#context())
      .then(
        () => this.end({ kind: 'exited', exitCode: 0 }),
        (error: unknown) => this.end(error instanceof Exit ? error.ending : { kind: 'exited', exitCode: 1 }),
      )
      .finally(() => clearTimeout(timer))
  }

  /** The first ending wins, and is told when the last output has been taken. */
  end(ending: Ending): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    const tell = () => this.#resolveEnded(ending)
    void this.#printed.then(tell, tell)
  }

  stop(): void {
    this.end({ kind: 'stopped' })
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

  /** What has ended prints nothing. */
  #print(line: string): Promise<void> {
    if (!this.#stop.signal.aborted)
      this.#printed = this.#printed.then(() => this.#hooks.output('stdout', Buffer.from(`${line}\n`)))
    return this.#printed
  }

  #context(): FakeContext {
    const { limits } = this.#plan
    let written = 0
    return {
      url: this.#plan.environment.STAGER_URL ?? '',
      plan: this.#plan,
      signal: this.#stop.signal,
      print: (line) => this.#print(line),
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
