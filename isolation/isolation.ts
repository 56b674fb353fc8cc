import type { Readable } from 'node:stream'
import type {
  CacheOwner,
  ContainerPlan,
  LayerContent,
  LayerSource,
  MountAheadPlan,
  PreparePlan,
  Removal,
  StartPlan,
} from './launch-plan.js'
import type { ImageHooks, ImagePlan, OpenImage } from './image.js'
import type { KeptContainer } from './kept-container.js'

/**
 * The port between the daemon, which decides, and the host, on which containers run.
 *
 * LIFECYCLE of a container
 *
 *   prepare ──> prepared ──────────── start ──> running ──> ended ── keep ──> kept
 *                  ├── createAhead ──> waiting ──┤ │           │               │
 *                  │                      └ mountAhead         │               │
 *                  └────────────────── release ────┴───────────┴───────────────┘
 *
 * - `prepare` creates what does not depend on the program: layers, root image and network. If it rejects, it has
 *   already undone everything. Otherwise the caller owns the prepared container.
 * - `start` mounts /stagerfs, sets the firewall rules, and starts the container. It is called at most once. It resolves
 *   when the program runs. If it rejects, the caller must still release the container.
 * - `createAhead` does the part of a start that is the same for all launches of a stager, so that `start` only mounts
 *   /stagerfs and the cache, and gives the program its variables. It is called at most once, before `start`, and never for
 *   a run. What `start` is given must be equal to it as far as `ContainerPlan` goes, and its variables must all be such
 *   that `canBeGivenLater` says so. If it rejects, the container can only be released. A container that waits serves one
 *   launch; `isWaiting` says whether it still can.
 * - `mountAhead` does the part of a start that `start` would do first in a container that waits: it mounts /stagerfs and the cache,
 *   and finds out where the files and the limits of the container are. `start` waits for it, and throws what has gone wrong.
 *   Nothing of the launch runs before `start`. What `start` is given must be equal to it, but for variables with the address of
 *   the coordinator.
 * - `release` undoes everything. It can be called when the container was never started, after a `start` that rejected,
 *   after `ended`, and before `ended` to kill the container. It must not be called during `start`, and waits for `mountAhead`. It is idempotent and
 *   never rejects; it reports what it could not undo.
 * - `ended` resolves after all output has been passed to `hooks.output` and the last promise of the hook has resolved.
 *   Output is truncated only if the Engine is lost, or by a `release` before the end.
 * - The caller owns the listener on `address`. It opens the listener before `start` and closes it after the container
 *   has ended, because the container can reach that port as long as it runs.
 * - A container that was started as `keepable` is there until its release: its first process goes on when the program has
 *   ended. What the program has left in the background runs on until then, unless the container is kept. `timeout`,
 *   `out-of-memory` and `disk-full` freeze the container instead of ending its processes; `pids-limit` kills all but the
 *   first, because a shell needs one. `stop` ends it as any other.
 * - `keep` freezes a keepable container after `ended`. Since then its output is discarded, and it is frozen except while a
 *   shell is open in it. Its limits of memory, CPUs and processes go on, and so does its network. It has no time limit any
 *   more, and what it may write is limited anew. The caller releases it when nobody needs it, and when `lost` resolves.
 * - `openShell` starts a further program in a kept container, as the user, in the working directory and with the
 *   environment of the first one, with no more rights. Several can be open at once. A release ends them all.
 * - `sweep` removes all resources of containers of this node that are not in `live`, such as those that a crash left
 *   behind. It is called before the first `prepare`, when the Engine is available again, and periodically, because the
 *   Engine completes requests of a client that has died. `live` may change during the sweep. A network without a way out
 *   outlives its launch by some seconds, for the next one; a sweep while nothing is live removes it.
 *
 * ERRORS
 * - `BadInput`: the package or the plan is at fault (an archive with a path outside of its root). `NotRunnable`, if the
 *   root cannot run the program at all (an unknown user, no shell).
 * - `Unavailable` (`engine-down`, `engine-changed`, `engine-rootless`, `disk-full`): the host is at fault. After
 *   `engine-changed` another launch can succeed.
 * - `Fault`: everything else.
 */
export interface Isolation {
  prepare(plan: PreparePlan, hooks: PrepareHooks, signal: AbortSignal): Promise<PreparedContainer>
  /** Builds the layer of `source` and caches it. Throws `BadInput` if the tree is rejected. */
  materialise(source: LayerSource, signal: AbortSignal): Promise<void>
  /**
   * Passes the filesystem of an image to `use`. The image is pulled if the Engine lacks it. For the export a container
   * is created, but not started. It is removed before this settles, also if `use` fails; after a crash `sweep` removes
   * it. `use` must read or destroy the archive.
   *
   * Throws `NotFound` (`no-such-image`), `BadInput` (`image-architecture`), `Refused` (`registry-login`) and
   * `Unavailable` (`registry-unreachable`, `registry-untrusted`, `export-failed`). The archive fails with `BadInput`
   * (`archive-refused`) for an entry that can neither be kept nor left out.
   */
  readImage<T>(
    plan: ImagePlan,
    hooks: ImageHooks,
    use: (image: OpenImage) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>
  /** When `signal` is aborted, it stops before the next kind of resource, and rejects with the reason of the signal. */
  sweep(live: ReadonlySet<string>, signal?: AbortSignal): Promise<SweepReport>
  /** All cached layers and images, and the caches of stagers. Layers of `needed` are reported as in use. */
  caches(needed: readonly LayerContent[]): Promise<readonly Cached[]>
  /** Those of stagers only, for which no Engine is asked. */
  stagerCaches(): Promise<readonly StagerCache[]>
  /**
   * Removes it unless it is in use; returns whether it did. It is created again when it is needed. The cache of a stager
   * is always emptied: a launch that has it goes on with what it found, and nothing of it is kept.
   */
  discard(cached: Pick<Cached, 'kind' | 'id'>): Promise<boolean>
  /** How many networks without a way out no launch has, which are kept for the next ones. Those outlive their launch by some seconds. */
  keptNetworks(): number
  /** Checks the requirements of the host. A missing requirement is a finding, not an error. */
  examine(): Promise<readonly Finding[]>
  /** The part of it that is about the firewall. */
  examineFirewall(): Promise<readonly Finding[]>
  /** Rejects with `Unavailable` when the Engine does not answer. */
  ping(): Promise<void>
}

/** The blob store, as far as an isolation needs it. */
export interface ResourceReader {
  /** The stream is verified while it is read. It fails before its end if the content does not match the digest. */
  open(sha256: string): Promise<Readable>
}

export interface PrepareHooks {
  /** Called at the end of each step in the lifecycle of the container, with its duration. */
  step?(name: ContainerStep, milliseconds: number): void
}

export type ContainerStep =
  'layers' | 'image' | 'network' | 'firewall' | 'stagerfs' | 'cache' | 'create' | 'start' | 'mounts' | 'undo'

export interface StartHooks extends FreezeHooks {
  /** Called with each chunk of output. Reading pauses until the promise resolves, so the program gets backpressure. */
  output(stream: OutputStream, chunk: Buffer): Promise<void>
  /** Called when a resource of the container was removed from outside, and has been restored. */
  repaired?(what: string): void
  /** Of a run: filled in, one after the other, before the program starts. Without it, none. */
  readonly templates?: readonly RootTemplate[]
  /**
   * Called once if something else than the program ends the container: with the first cause, before the program gets a
   * signal. The program may use the grace period after it.
   */
  ending?(cause: ForcedEnding): void
}

/** A file of a root. The container gets it filled in; the layers keep it as it is. */
export interface RootTemplate {
  /**
   * From the root. The first one that exists is the file. `start` throws `BadInput` (`no-template`) if none does, or if it
   * is not a regular file of the packages, and `TooLarge` (`template-too-large`, `too-many-templates`).
   */
  readonly paths: readonly string[]
  /** Where it is named, for the messages of all that goes wrong with it; undefined if nobody knows. */
  readonly place?: string | undefined
  /** What it throws ends the start. */
  readonly fillIn: (path: string, content: Buffer) => Buffer
}

export type OutputStream = 'stdout' | 'stderr'

export type CacheFate = 'keep' | 'drop'

export interface PreparedContainer {
  /** The address of the host on the bridge of the container. */
  readonly address: string
  createAhead(plan: ContainerPlan, signal: AbortSignal): Promise<void>
  /**
   * Whether a container that was created ahead is there, as far as the Engine has told, and has printed nothing. What it
   * prints before its start is not the output of a launch, so one that does is of no use.
   */
  readonly isWaiting: boolean
  /**
   * To be called at most once, after `createAhead` and before `start`. Resolves when that is over, and never rejects. Waits for a
   * launch whose cache is about to be kept.
   */
  mountAhead(plan: MountAheadPlan, signal: AbortSignal): Promise<void>
  /** Undefined if it does not wait, or nobody can tell, so that it is of no use any more. Never rejects. */
  waitingUse(): Promise<WaitingUse | undefined>
  start(plan: StartPlan, hooks: StartHooks, signal: AbortSignal): Promise<RunningContainer>
  /**
   * @param cache whether what the launch has put into its cache is there for the next one; only the first call counts. With
   *   a promise, which must not reject, the release begins when that resolves; a launch with the same cache waits from the
   *   call on.
   */
  release(cache?: CacheFate | Promise<CacheFate>): Promise<ReleaseReport>
}

/** What a container uses that waits. */
export interface WaitingUse {
  /** Of its control group, with what the kernel caches of its files. */
  readonly memoryBytes: number
  /** And threads. */
  readonly processes: number
  /** Of its first process, with those that it has waited for, in milliseconds. */
  readonly processorMs: number
  /** At most so much of the disk: others may have written it. */
  readonly diskBytes: number
}

export interface RunningContainer {
  /** The first cause of the end. Never rejects. */
  readonly ended: Promise<Ending>
  /** Resolves when all output has been passed to `hooks.output`. At the latest with `ended`. Never rejects. */
  readonly printed: Promise<void>
  /** Host ports, in the order of `PreparePlan.publish`. */
  readonly publishedPorts: readonly number[]
  /**
   * Passes `chunks` to the standard input of the program as it reads them, then closes it. To be called once, for a plan
   * with `input`. Resolves early when the program ends, and rejects only with an error of `chunks`.
   */
  input(chunks: AsyncIterable<Uint8Array>): Promise<void>
  /**
   * Resolves when no process of it is left, by what the kernel says: its output may be on its way then, and the Engine tells later
   * how it has ended. What nobody can end has `ended` before. At the latest when it has been removed. To be called when the end is
   * expected soon. Never rejects.
   */
  finished(): Promise<void>
  /** Sends SIGTERM, and SIGKILL after a grace period; does not wait for `ended`. Idempotent. */
  stop(): void
  /** As `stop`, but a keepable container is frozen as it is, so that it can be kept. */
  halt(): void
  /**
   * Keeps a keepable container, after `ended`; to be called at most once. Throws `Fault` (`container-gone`,
   * `cannot-freeze`) and `Unavailable` (`engine-down`).
   */
  keep(): Promise<KeptContainer>
  /**
   * Why the container is being ended, if it is. Looks for a limit that was hit first, by the counters of the kernel and the
   * use of the disk at this moment, and ends the container for it. Never rejects: what cannot be read counts as
   * `limits-unknown`, or as `engine-lost` where only the Engine does not answer.
   */
  causeSoFar(): Promise<ForcedEnding | undefined>
  /**
   * Freezes the container, and passes its changes to `write` as a gzipped tar of full paths. The container is thawed
   * when its files have been read, which can be before `write` resolves. Rejects with `BadInput` (`bad-directory`) for a
   * path that breaks the rule of path-rules.ts. Where the Engine is lost meanwhile, the container is ended for it before
   * this rejects: what its program does next is not its fault.
   */
  snapshot<T>(request: SnapshotRequest, write: (archive: Readable) => Promise<T>): Promise<SnapshotReport<T>>
}

export interface SnapshotRequest extends FreezeHooks {
  /** Only changes at or below this path; all changes if undefined. */
  readonly directory?: string | undefined
  /** No changes at or below these paths. */
  readonly exclude?: readonly string[]
}

/** A container is frozen for a snapshot, and to measure what it has written. */
export interface FreezeHooks {
  /** Called before the container is frozen. */
  readonly onFreeze?: () => void
  /** Called once after each `onFreeze`, when the container has been thawed or could not be frozen. */
  readonly onThaw?: () => void
}

export interface SnapshotReport<T> {
  readonly written: T
  readonly removals: readonly Removal[]
  /** Entries in the archive. */
  readonly entries: number
  /** The numbers of entries that a package cannot contain. */
  readonly leftOut: LeftOut
}

export interface LeftOut {
  readonly sockets: number
  /** Named pipes and devices. */
  readonly special: number
}

/** A limit that was hit, or that may have been hit because that cannot be told. */
export type LimitEnding = Extract<Ending, { kind: 'out-of-memory' | 'disk-full' | 'pids-limit' | 'limits-unknown' }>

/** An end that is not the program's own. */
export type ForcedEnding = Exclude<Ending, { kind: 'exited' | 'not-runnable' }>

export type Ending =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'timeout'; readonly afterMs: number }
  | { readonly kind: 'out-of-memory'; readonly limitBytes: number }
  | { readonly kind: 'disk-full'; readonly usedBytes: number; readonly limitBytes: number }
  | { readonly kind: 'pids-limit'; readonly limit: number }
  /** The program could not be executed. `reason` is the end of a sentence about it. */
  | { readonly kind: 'not-runnable'; readonly exitCode: number; readonly reason: string }
  /** What it uses cannot be measured, so its limits cannot be enforced. */
  | { readonly kind: 'limits-unknown'; readonly error: Error }
  /** Ended by `stop` or `release`. */
  | { readonly kind: 'stopped' }
  /** The connection to the Engine was lost, so it is unknown how the container ended. */
  | { readonly kind: 'engine-lost'; readonly error: Error }

export interface ReleaseReport {
  readonly failures: readonly { readonly what: string; readonly error: unknown }[]
}

/** A layer, a root image in the Engine, or the cache of a stager. */
export interface Cached {
  readonly kind: 'layer' | 'image' | 'cache'
  readonly id: string
  /** For an image, including the layers that it shares with others. */
  readonly bytes: number
  readonly usedAt: Date
  /** Whether a launch, a run or a container uses it, or it is a needed layer. */
  readonly inUse: boolean
}

export interface StagerCache extends Cached, CacheOwner {
  readonly kind: 'cache'
}

export interface SweepReport {
  /** One line for each removed resource: "container 3f2a…". */
  readonly removed: readonly string[]
  /** What could not be removed. With a container, all of its launch stays. */
  readonly failures: readonly SweepFailure[]
}

export interface SweepFailure {
  readonly what: string
  readonly error: unknown
}

/** One line of the output of `node doctor`. */
export interface Finding {
  readonly subject: string
  readonly verdict: 'good' | 'slow' | 'bad'
  /** The state; unless the verdict is `good`, also what is required and how to achieve it. */
  readonly message: string
}
