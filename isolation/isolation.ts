import type { Readable } from 'node:stream'
import type { LayerContent, LayerSource, PreparePlan, Removal, StartPlan } from './launch-plan.js'

/**
 * The port between what is decided and what is done to the host.
 *
 * LIFECYCLE of a container
 *
 *   prepare ──> prepared ── start ──> running ──> ended
 *                  └───────────┴─ release ─┴────────┘
 *
 * - `prepare` makes what does not depend on the program: layers, root image and network. If it rejects, everything that
 *   it had made is already undone. The caller owns the prepared container that it resolves with.
 * - `start` mounts /stagerfs, sets the firewall rules, and starts the container; it is called at most once. It resolves
 *   once the program runs. If it rejects, the container is still the caller's to release.
 * - `release` undoes everything, in whatever phase: of a container that was never started, after a `start` that rejected,
 *   after `ended`, or before it to end the container at once. It is not called while `start` is under way. It may be
 *   called again; it never rejects, and reports what it could not undo.
 * - `ended` resolves after the last output: each piece has been passed to `hooks.output`, and its promise has resolved.
 *   Only the loss of the Engine, and a `release` before the end, cut the output off.
 * - What listens on `address` for the container is the caller's: opened before `start`, and closed once the container has
 *   ended, because the container can reach that port for as long as it runs.
 * - `sweep` removes every trace of containers of this node that are not in `live`. It is what makes a crash
 *   harmless: call it before the first `prepare`, when the Engine has come back, and now and then, because the Engine
 *   finishes what it has begun for those who have died. `live` may change meanwhile.
 *
 * ERRORS
 * - `BadInput` when a package or the plan is at fault (an archive that climbs out, a user that the root lacks).
 * - `Unavailable` (`engine-down`, `disk-full`) when the host is.
 * - Otherwise `Fault`.
 */
export interface Isolation {
  prepare(plan: PreparePlan, hooks: PrepareHooks, signal: AbortSignal): Promise<PreparedContainer>
  /** Make sure that a layer can be built from `source`, and keep it. Throws `BadInput` where the tree is refused. */
  materialise(source: LayerSource, signal: AbortSignal): Promise<void>
  /**
   * Pass the filesystem of an image to `use`: one that the Engine has, or else can pull. A container of it is created,
   * never started, and exported while `use` is under way; it is gone when this settles, whatever became of `use`, and a
   * `sweep` takes it after a crash. `use` reads the archive or destroys it.
   *
   * Throws `NotFound` (`no-such-image`), `Unavailable` (`registry-unreachable`, and when the export breaks off),
   * `BadInput` (`archive-refused`) as an error of the archive, for what cannot be left out or kept.
   */
  readImage<T>(
    plan: ImagePlan,
    hooks: ImageHooks,
    use: (image: OpenImage) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>
  /** Once `signal` is aborted, it goes on to no further kind of thing (containers, mounts, …), and rejects with its reason. */
  sweep(live: ReadonlySet<string>, signal?: AbortSignal): Promise<SweepReport>
  /** Everything that is kept only so that it need not be made again. Layers of `needed` are reported as in use. */
  caches(needed: readonly LayerContent[]): Promise<readonly Cached[]>
  /** Remove it, unless something at work uses it by now; tells whether it did. What is removed is made again when needed. */
  discard(cached: Cached): Promise<boolean>
  /** What the host can do, in words; never rejects because something is missing: that is what it reports. */
  examine(): Promise<readonly Finding[]>
  /** Rejects with `Unavailable` when the Engine does not answer. */
  ping(): Promise<void>
}

/** How an isolation gets at resources: a blob store, seen from the isolation's side. */
export interface ResourceReader {
  /** Verified while it is read: the stream errors at its end if the content is not what the digest says. */
  open(sha256: string): Promise<Readable>
}

export interface ImagePlan {
  /** UUID, as of a launch: what is live, no sweep touches. */
  readonly id: string
  /** `name:tag`, `name@digest`, with the registry's host before it or without, or the id of an image. */
  readonly reference: string
  /** Absolute paths: neither they nor what is below them is in the archive. */
  readonly leaveOut: readonly string[]
}

export interface ImageHooks {
  /** A line of what the Engine says while it pulls. */
  progress?(line: string): void
}

export interface OpenImage {
  /** A gzip'd tar of full paths, without what an export has and a package cannot (see engine/image-tree.ts). */
  readonly archive: Readable
  readonly config: ImageConfig
}

/** How the image would be run. */
export interface ImageConfig {
  /** `KEY=VALUE` */
  readonly environment: readonly string[]
  /** Empty: the root. */
  readonly workingDirectory: string
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
}

export interface PrepareHooks {
  /** For progress and for measurement: each step of the life of a container, when it is over. */
  step?(name: ContainerStep, milliseconds: number): void
}

export type ContainerStep =
  'layers' | 'image' | 'network' | 'firewall' | 'stagerfs' | 'create' | 'start' | 'mounts' | 'undo'

export interface StartHooks {
  /** A piece of output, as it came. Reading pauses until the promise resolves, so a slow consumer slows the program. */
  output(stream: OutputStream, chunk: Buffer): Promise<void>
  /** Somebody has taken away from under it what it must not be without, and it is there again. */
  repaired?(what: string): void
}

export type OutputStream = 'stdout' | 'stderr'

export interface PreparedContainer {
  /** The host's side of the container's own bridge. */
  readonly address: string
  start(plan: StartPlan, hooks: StartHooks, signal: AbortSignal): Promise<RunningContainer>
  release(): Promise<ReleaseReport>
}

export interface RunningContainer {
  /** How it ended: the first cause wins. Never rejects. */
  readonly ended: Promise<Ending>
  /** Host ports, in the order of `PreparePlan.publish`. */
  readonly publishedPorts: readonly number[]
  /** SIGTERM, and SIGKILL after a grace; `ended` tells when it is over. Idempotent. */
  stop(): void
  /**
   * Freeze the container, and pass its changes to `write` as a gzip'd tar of full paths. It is thawed when its files have
   * been read, which can be before `write` is done. Rejects with `BadInput` (`bad-directory`) for a path that is not
   * absolute and plain.
   */
  snapshot<T>(request: SnapshotRequest, write: (archive: Readable) => Promise<T>): Promise<SnapshotReport<T>>
}

export interface SnapshotRequest extends FreezeHooks {
  /** Only changes at or below this absolute path; all changes when left out. */
  readonly directory?: string | undefined
  /** No changes at or below these absolute paths. */
  readonly exclude?: readonly string[]
}

export interface FreezeHooks {
  /** Called when the container is about to be frozen. */
  readonly onFreeze?: () => void
  /** Called once after each `onFreeze`: the container was thawed, or could not be frozen. */
  readonly onThaw?: () => void
}

export interface SnapshotReport<T> {
  readonly written: T
  readonly removals: readonly Removal[]
  /** Entries in the archive. */
  readonly entries: number
  /** What no package can hold. */
  readonly leftOut: LeftOut
}

export interface LeftOut {
  readonly sockets: number
  /** Named pipes and devices. */
  readonly special: number
}

export type Ending =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'timeout'; readonly afterMs: number }
  | { readonly kind: 'out-of-memory'; readonly limitBytes: number }
  | { readonly kind: 'disk-full'; readonly usedBytes: number; readonly limitBytes: number }
  | { readonly kind: 'pids-limit'; readonly limit: number }
  /** By `stop` or `release`. */
  | { readonly kind: 'stopped' }
  /** The Engine went away, so nobody can say how it ended. */
  | { readonly kind: 'engine-lost'; readonly error: Error }

export interface ReleaseReport {
  readonly failures: readonly { readonly what: string; readonly error: unknown }[]
}

/** A layer, or a root image of the Engine's. */
export interface Cached {
  readonly kind: 'layer' | 'image'
  readonly id: string
  /** Of an image, counting what it shares with others. */
  readonly bytes: number
  readonly usedAt: Date
  /** By a launch, a run or a container, or a layer that is needed. */
  readonly inUse: boolean
}

export interface SweepReport {
  /** One line for each thing that was removed: "container 3f2a…". */
  readonly removed: readonly string[]
  /** What is left, and why; no container is among it. */
  readonly failures: readonly SweepFailure[]
}

export interface SweepFailure {
  readonly what: string
  readonly error: unknown
}

/** One line of `node doctor`. */
export interface Finding {
  readonly subject: string
  readonly verdict: 'good' | 'slow' | 'bad'
  /** What is, and for anything but `good`, what would be better and how to get there. */
  readonly message: string
}
