import type { Readable } from 'node:stream'
import { pack } from 'tar-stream'
import { createGzip } from 'node:zlib'
import { isDeepStrictEqual } from 'node:util'
import { Deferred } from '../../base/deferred.js'
import { BadInput, Fault, NotFound } from '../../base/errors.js'
import { placed } from '../../base/mistake-at.js'
import type { ImageConfig, ImageHooks, ImagePlan, OpenImage } from '../../isolation/image.js'
import type {
  Cached,
  Ending,
  Finding,
  ForcedEnding,
  Isolation,
  PreparedContainer,
  PrepareHooks,
  ReleaseReport,
  RunningContainer,
  SnapshotReport,
  SnapshotRequest,
  StagerCache,
  StartHooks,
  SweepReport,
  WaitingUse,
} from '../../isolation/isolation.js'
import type { LayerVerification, LayerVerdict } from '../../isolation/layer-verification.js'
import type { KeptContainer } from '../../isolation/kept-container.js'
import type { ContainerPlan, LayerContent, LayerSource, PreparePlan, StartPlan } from '../../isolation/launch-plan.js'
import { canBeGivenLater } from '../../isolation/later-variables.js'
import { pathFromRoot } from '../../isolation/path-rules.js'
import { FakeKept } from './fake-kept.js'

/** A stager, or another program, as a function. It ends when the function returns or throws. */
export type FakeStager = (context: FakeContext) => Promise<void>

export interface FakeContext {
  /** STAGER_URL; empty for a run. */
  readonly url: string
  readonly plan: PreparePlan & StartPlan
  /** Resolves when the line has been taken. Who does not wait for that has it taken all the same, before the end. */
  readonly print: (line: string) => Promise<void>
  /** Files of the root that templates have filled in, by absolute path. */
  readonly filled: ReadonlyMap<string, string>
  /** The texts of files in STAGER_CACHE, by name. */
  readonly cache: Map<string, string>
  /** The texts of files in STAGER_SECRETS, by name. */
  readonly secrets: ReadonlyMap<string, string>
  /** Writes to an absolute path of the root. Counts against the disk limit. */
  readonly writeFile: (path: string, text: string) => void
  /** Counts against the memory limit. */
  readonly allocate: (bytes: number) => void
  /** The same by a child process: it is killed, but the program goes on, and the end of the container comes later. */
  readonly allocateInChild: (bytes: number) => void
  /** Counts against the pids limit. */
  readonly fork: (processes: number) => void
  readonly exit: (code: number) => never
  /** Aborts when the container is ended from outside. The program may go on for the grace period, unless it is killed. */
  readonly signal: AbortSignal
}

/** How long a program may go on after its signal, in milliseconds. */
const GRACE_MS = 2_000

export interface FakeImage {
  /** Maps absolute paths to texts. */
  readonly files: Readonly<Record<string, string>>
  readonly config?: Partial<ImageConfig>
}

/** A cached layer or image; a layer with its content. */
export interface FakeCached extends Cached {
  readonly content?: LayerContent
}

/** Thrown through a fake stager by `exit`, and by anything else that ends it from inside. */
class Exit extends Error {
  constructor(readonly ending: Ending) {
    super(ending.kind)
  }
}

/**
 * An isolation without a host: programs are functions, and each uses HTTP on loopback to its coordinator. It passes the
 * same contract suite as the real one.
 */
export class FakeIsolation implements Isolation, LayerVerification {
  /** Programs by their start command. */
  readonly stagers = new Map<string, FakeStager>()
  /** IDs of containers that are prepared and not released: what would be left on a host. */
  readonly left = new Set<string>()
  /** The images for `readImage`, by reference. */
  readonly images = new Map<string, FakeImage>()
  /** The texts of files of every root that can be templates, by absolute path. */
  readonly rootFiles = new Map<string, string>()
  /** The names of the packages whose layers were requested. */
  readonly materialised: string[] = []
  cached: readonly FakeCached[] = []
  /** The caches of stagers by id, as their last launch has left them. */
  readonly stagerCacheFiles = new Map<string, ReadonlyMap<string, string>>()
  /** When set, the Engine is down: every call rejects with it. Running containers do not notice by themselves. */
  down: Error | undefined
  /** What every release reports as not undone. */
  undoFailures: ReleaseReport['failures'] = []
  /** Those of `left` that were created ahead, and have not been started. */
  readonly waiting = new Set<string>()
  /** Those of `waiting` in which all is mounted that their launch needs. */
  readonly mounted = new Set<string>()
  /** How many it says that it keeps. */
  networks = 0
  /** What each that waits uses. */
  waitingUse: WaitingUse = { memoryBytes: 1 << 20, processes: 1, processorMs: 10, diskBytes: 0 }
  /** Resolves when the end of containers is noticed, which have ended already. */
  noticed: Promise<void> = Promise.resolve()
  /** Resolves when output is passed on. */
  arrives: Promise<void> = Promise.resolve()
  readonly #running = new Set<FakeRunning>()
  /** By cache: the launch that is about to keep or drop what it has written. */
  readonly #keeping = new Map<string, Promise<void>>()

  async prepare(plan: PreparePlan, hooks: PrepareHooks, signal: AbortSignal): Promise<PreparedContainer> {
    await this.ping()
    signal.throwIfAborted()
    hooks.step?.('network', 0)
    signal.throwIfAborted()
    this.left.add(plan.id)
    let running: FakeRunning | undefined
    let ahead: ContainerPlan | undefined
    let mounting: Promise<void> | undefined
    let cancelled: AbortSignal | undefined
    const isDown = () => this.down !== undefined
    const isLeft = () => this.left.has(plan.id)
    return {
      address: '127.0.0.1',
      createAhead: async (container, createSignal) => {
        await this.ping()
        hooks.step?.('create', 0)
        createSignal.throwIfAborted()
        ahead = container
        this.waiting.add(plan.id)
      },
      get isWaiting() {
        return ahead !== undefined && isLeft() && !isDown()
      },
      mountAhead: async (mounts, mountSignal) => {
        mounting = this.#keeping.get(cacheIdOf(mounts) ?? '')
        cancelled = mountSignal
        await mounting
        if (!mountSignal.aborted) this.mounted.add(plan.id)
      },
      waitingUse: () => Promise.resolve(this.waiting.has(plan.id) && isLeft() ? this.waitingUse : undefined),
      start: async (start, startHooks, startSignal) => {
        await this.ping()
        startSignal.throwIfAborted()
        cancelled?.throwIfAborted()
        this.waiting.delete(plan.id)
        this.mounted.delete(plan.id)
        if (ahead) assertFits(ahead, start)
        else hooks.step?.('start', 0)
        startSignal.throwIfAborted()
        await this.#keeping.get(cacheIdOf(start) ?? '')
        running = this.#start({ ...plan, ...start }, startHooks)
        return running
      },
      release: async (fate = 'drop') => {
        const kept = new Deferred<void>()
        if (fate !== 'drop' && running?.cacheId !== undefined) this.#keeping.set(running.cacheId, kept.promise)
        const cache = await fate
        await mounting
        running?.end({ kind: 'stopped' })
        await running?.ended
        if (cache === 'keep') this.#keep(running)
        kept.resolve()
        running?.kept?.close()
        if (running) this.#running.delete(running)
        this.left.delete(plan.id)
        this.waiting.delete(plan.id)
        this.mounted.delete(plan.id)
        return { failures: this.undoFailures }
      },
    }
  }

  #keep(running: FakeRunning | undefined): void {
    if (!running?.cacheId) return
    if ([...running.cache].length > 0) this.stagerCacheFiles.set(running.cacheId, running.cache)
  }

  #start(plan: PreparePlan & StartPlan, hooks: StartHooks): FakeRunning {
    const program = this.stagers.get(plan.command)
    if (!program) throw new BadInput('no-such-program', `The fake has no program '${plan.command}': add one to it.`)
    const running = new FakeRunning(plan, hooks, this.#fillIn(hooks), this)
    this.#running.add(running)
    running.begin(program)
    return running
  }

  #fillIn({ templates = [] }: StartHooks): ReadonlyMap<string, string> {
    const filled = new Map<string, string>()
    for (const { paths, place, fillIn } of templates) {
      try {
        const path = paths.find((one) => this.rootFiles.has(one))
        if (path === undefined) throw new BadInput('no-template', `There is no file ${paths.join(' or ')}: add it.`)
        const text = filled.get(path) ?? this.rootFiles.get(path) ?? ''
        filled.set(path, fillIn(path, Buffer.from(text)).toString())
      } catch (error) {
        throw placed(place, error)
      }
    }
    return filled
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
      const none = { environment: [], workingDirectory: '', entrypoint: [], command: [], user: '', exposed: [] }
      const config = { ...none, ...image.config }
      return await use({ archive: tar.pipe(createGzip()), config, pinned: `${reference}@sha256:fake` })
    } finally {
      this.left.delete(id)
    }
  }

  caches(needed: readonly LayerContent[]): Promise<readonly Cached[]> {
    const isNeeded = ({ content }: FakeCached) =>
      needed.some(({ sha256, removals }) => isDeepStrictEqual({ sha256, removals }, content))
    const cached = this.cached.map((one) => ({ ...one, inUse: one.inUse || isNeeded(one) }))
    return Promise.resolve([...cached, ...this.#stagerCaches()])
  }

  stagerCaches(): Promise<readonly StagerCache[]> {
    return Promise.resolve(this.#stagerCaches())
  }

  #stagerCaches(): StagerCache[] {
    return [...this.stagerCacheFiles].map(([id, files]) => {
      const [packageUuid = '', stagerUuid = ''] = id.split('.')
      const bytes = [...files.values()].reduce((total, text) => total + text.length, 0)
      return { kind: 'cache', id, packageUuid, stagerUuid, bytes, usedAt: new Date(), inUse: false }
    })
  }

  discard({ kind, id }: Pick<Cached, 'kind' | 'id'>): Promise<boolean> {
    if (kind === 'cache') this.stagerCacheFiles.delete(id)
    else this.cached = this.cached.filter((one) => one.id !== id)
    return Promise.resolve(true)
  }

  async materialise({ name, sha256, removals }: LayerSource): Promise<void> {
    await this.ping()
    this.materialised.push(name)
    const content = { sha256, removals }
    this.cached = [...this.cached, { kind: 'layer', id: name, bytes: 1, usedAt: new Date(), inUse: false, content }]
  }

  async sweep(live: ReadonlySet<string>): Promise<SweepReport> {
    await this.ping()
    const removed = [...this.left].filter((id) => !live.has(id))
    for (const id of removed) this.left.delete(id)
    return { removed: removed.map((id) => `launch ${id}`), failures: [] }
  }

  keptNetworks(): number {
    return this.networks
  }

  examine(): Promise<readonly Finding[]> {
    return Promise.resolve([])
  }

  examineFirewall(): Promise<readonly Finding[]> {
    return Promise.resolve([])
  }

  /** It keeps no layers on a disk. */
  layers(): Promise<[]> {
    return Promise.resolve([])
  }

  verifyLayer(): Promise<LayerVerdict> {
    return Promise.resolve('unknown')
  }

  ping(): Promise<void> {
    return this.down ? Promise.reject(this.down) : Promise.resolve()
  }

  /** Simulates the loss of the Engine for all running launches. */
  loseEngine(error: Error): void {
    this.down = error
    for (const launch of this.#running) {
      launch.end({ kind: 'engine-lost', error })
      launch.kept?.lose(error)
    }
  }
}

/** What the container was created with cannot be changed. */
function assertFits(ahead: ContainerPlan, start: StartPlan): void {
  const { command, workingDirectory, limits, coordinatorPort } = start
  const unfit = Object.keys(start.environment).filter((name) => !canBeGivenLater(name))
  if (!isDeepStrictEqual(ahead, { command, workingDirectory, limits, coordinatorPort }) || unfit.length > 0)
    throw new RangeError(`a container was created ahead for another start; it cannot be given ${unfit.join(', ')}`)
}

function cacheIdOf({ cache }: Pick<StartPlan, 'cache'>): string | undefined {
  return cache && `${cache.packageUuid}.${cache.stagerUuid}`
}

class FakeRunning implements RunningContainer {
  readonly publishedPorts: readonly number[]
  readonly ended: Promise<Ending>
  readonly printed: Promise<void>
  readonly cacheId: string | undefined
  /** A copy: no other launch sees the changes. */
  readonly cache: Map<string, string>
  readonly #plan: PreparePlan & StartPlan
  readonly #hooks: StartHooks
  readonly #isDown: () => Error | undefined
  readonly #files = new Map<string, string>()
  readonly #stop = new AbortController()
  /** Settles when everything that was printed so far has been taken, piece after piece. */
  #printed: Promise<void> = Promise.resolve()
  #resolveEnded!: (ending: Ending) => void
  #resolvePrinted!: () => void
  readonly #processesGone = new Deferred<void>()
  #hasEnded = false
  #isHalted = false
  /** Why it is being ended. */
  #cause: ForcedEnding | undefined
  /** A limit that a child process has hit, while the program itself goes on. */
  #hit: ForcedEnding | undefined
  #written = 0
  kept: FakeKept | undefined

  constructor(
    plan: PreparePlan & StartPlan,
    hooks: StartHooks,
    private readonly filled: ReadonlyMap<string, string>,
    private readonly isolation: Pick<FakeIsolation, 'down' | 'stagerCacheFiles' | 'noticed' | 'arrives'>,
  ) {
    this.#isDown = () => isolation.down
    this.cacheId = cacheIdOf(plan)
    this.cache = new Map(isolation.stagerCacheFiles.get(this.cacheId ?? ''))
    this.publishedPorts = plan.publish.map(({ hostPort }, index) => hostPort || 40_000 + index)
    this.#plan = plan
    this.#hooks = hooks
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve))
    this.printed = new Promise((resolve) => (this.#resolvePrinted = resolve))
  }

  begin(program: FakeStager): void {
    const { timeoutMs } = this.#plan.limits
    const timer =
      timeoutMs === Infinity
        ? undefined
        : setTimeout(() => this.#terminate({ kind: 'timeout', afterMs: timeoutMs }), timeoutMs)
    void program(this.#context())
      .then(
        () => this.end({ kind: 'exited', exitCode: 0 }),
        (error: unknown) => this.end(error instanceof Exit ? error.ending : { kind: 'exited', exitCode: 1 }),
      )
      .finally(() => clearTimeout(timer))
  }

  /** It ends at once. The first cause wins, and is told when the last output has been taken. */
  end(ending: Ending): void {
    if (this.#hasEnded) return
    if (ending.kind !== 'exited' && ending.kind !== 'not-runnable') this.#setCause(ending)
    this.#hasEnded = true
    this.#processesGone.resolve()
    this.#stop.abort()
    const tell = () => {
      this.#resolvePrinted()
      void this.isolation.noticed.then(() => this.#resolveEnded(this.#cause ?? ending))
    }
    void this.#printed.then(tell, tell)
  }

  /** It ends when the program returns, or after the grace period. */
  #terminate(cause: ForcedEnding): void {
    if (this.#hasEnded || this.#cause) return
    if (this.#plan.keepable === true && cause.kind !== 'stopped') {
      this.end(cause)
      return
    }
    this.#setCause(cause)
    this.#stop.abort()
    const timer = setTimeout(() => this.end(cause), GRACE_MS)
    void this.ended.then(() => clearTimeout(timer))
  }

  #setCause(cause: ForcedEnding): void {
    if (this.#cause) return
    this.#cause = cause
    this.#hooks.ending?.(cause)
  }

  async input(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of chunks) if (chunk.length > 0) await this.#print(`input: ${Buffer.from(chunk).toString()}`)
  }

  async finished(): Promise<void> {
    // It goes on after its program.
    if (this.#plan.keepable === true) await this.ended
    else await this.#processesGone.promise
  }

  stop(): void {
    this.#terminate({ kind: 'stopped' })
  }

  halt(): void {
    if (this.#plan.keepable === true) this.end({ kind: 'stopped' })
    else this.stop()
    this.#isHalted = true
  }

  keep(): Promise<KeptContainer> {
    const isGone = !this.#plan.keepable || (this.#cause?.kind === 'stopped' && !this.#isHalted) || this.#isDown()
    if (isGone) return Promise.reject(new Fault('container-gone', 'The container cannot be kept: it has ended.'))
    const [plan, hooks, files, usedBytes] = [this.#plan, this.#hooks, this.#files, this.#written]
    this.kept = new FakeKept({ plan, hooks, files, usedBytes })
    return Promise.resolve(this.kept)
  }

  causeSoFar(): Promise<ForcedEnding | undefined> {
    const error = this.#isDown()
    // What may be over the limit cannot be measured without the Engine.
    const isInDoubt = this.#written >= this.#plan.limits.diskBytes / 2
    const hit = this.#hit ?? (error && isInDoubt ? ({ kind: 'engine-lost', error } as const) : undefined)
    if (hit) this.end(hit)
    return Promise.resolve(this.#cause)
  }

  async snapshot<T>(
    { directory, exclude = [] }: SnapshotRequest,
    write: (archive: Readable) => Promise<T>,
  ): Promise<SnapshotReport<T>> {
    const refuse = (why: string): never => {
      throw new BadInput('bad-directory', `The directory of a snapshot is refused: ${why}.`)
    }
    const error = this.#isDown()
    if (error) {
      this.end({ kind: 'engine-lost', error })
      throw error
    }
    const tar = pack()
    const within = directory === undefined ? '/' : `/${pathFromRoot(directory, refuse)}/`
    if (directory !== undefined && ![...this.#files.keys()].some((name) => name.startsWith(within)))
      refuse(`there is no ${directory}`)
    const isExcluded = (name: string) => exclude.some((path) => name === path || name.startsWith(`${path}/`))
    this.#hooks.onFreeze?.()
    const names = [...this.#files.keys()].filter((name) => name.startsWith(within) && !isExcluded(name)).sort()
    for (const name of names) tar.entry({ name: name.slice(1), mtime: new Date(0) }, this.#files.get(name) ?? '')
    tar.finalize()
    this.#hooks.onThaw?.()
    const written = await write(tar.pipe(createGzip()))
    return { written, removals: [], entries: names.length, leftOut: { sockets: 0, special: 0 } }
  }

  /** What has ended prints nothing. */
  #print(line: string): Promise<void> {
    if (!this.#hasEnded)
      this.#printed = Promise.all([this.#printed, this.isolation.arrives]).then(() =>
        this.#hooks.output('stdout', Buffer.from(`${line}\n`)),
      )
    return this.#printed
  }

  #context(): FakeContext {
    const { limits } = this.#plan
    return {
      url: this.#plan.environment.STAGER_URL ?? '',
      plan: this.#plan,
      signal: this.#stop.signal,
      filled: this.filled,
      cache: this.cache,
      secrets: new Map([...(this.#plan.secrets ?? [])].map(([name, value]) => [name, Buffer.from(value).toString()])),
      print: (line) => this.#print(line),
      writeFile: (path, text) => {
        this.#written += text.length
        this.#files.set(path, text)
        if (this.#written > limits.diskBytes)
          throw new Exit({ kind: 'disk-full', usedBytes: this.#written, limitBytes: limits.diskBytes })
      },
      allocate: (bytes) => {
        if (bytes > limits.memoryBytes) throw new Exit({ kind: 'out-of-memory', limitBytes: limits.memoryBytes })
      },
      allocateInChild: (bytes) => {
        if (bytes > limits.memoryBytes) this.#hit = { kind: 'out-of-memory', limitBytes: limits.memoryBytes }
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
