/**
 * The plan of a container, for a launch of a stager or a run of a ready package. It is plain data: the planner creates
 * it without I/O, and an `Isolation` executes it.
 */

/** The inputs that determine the content of a layer. */
export interface LayerContent {
  /** Digest of the package's resource, a tarball in the blob store. */
  readonly sha256: string
  /** What the package removes from the layers below it. */
  readonly removals: readonly Removal[]
}

/** The tree of a package, from which a layer is built. */
export interface LayerSource extends LayerContent {
  /** The name of the package, used only in messages. */
  readonly name: string
}

/**
 * A removal that a snapshot found.
 *
 * `removed`: the path exists in a lower layer, but not in the result. `opaque`: the directory exists, and hides
 * everything that lower layers contain in it.
 */
export interface Removal {
  readonly kind: 'removed' | 'opaque'
  /** From the root. Bytes outside printable ASCII, and `%`, are percent-encoded. */
  readonly path: string
}

/** Each limit has its own cause of failure, except `cpus`, which only throttles. */
export interface Limits {
  readonly memoryBytes: number
  readonly cpus: number
  readonly pids: number
  /** What the stager may add to its root and to /stagerfs together. */
  readonly diskBytes: number
  /** `Infinity` for no timeout. */
  readonly timeoutMs: number
}

/** The part of the plan that does not depend on the program: see `Isolation.prepare`. */
export interface PreparePlan {
  /** UUID of the launch or run. Every resource of it is named or labelled with it. */
  readonly id: string
  /** Lowest first: from the operating system upward. */
  readonly root: readonly LayerSource[]
  /** Whether the root has what only stagers need: true for a launch, false for a run (engine/shim-layer.ts). */
  readonly shims: boolean
  /** A user in /etc/passwd of the root. */
  readonly user: string
  /** Whether it may connect to addresses beyond the host. */
  readonly egress: boolean
  /** Empty for a launch. */
  readonly publish: readonly PublishedPort[]
}

/** What a container has from its creation on. The rest of a start is the same for it, whenever it was created. */
export interface ContainerPlan {
  /** Executed by `/bin/sh -c` inside the container. */
  readonly command: string
  readonly workingDirectory: string
  readonly limits: Limits
  /** TCP port of the coordinator, which the container can reach on the host. Undefined for a run. */
  readonly coordinatorPort: number | undefined
}

/** What runs in a prepared container: see `PreparedContainer.start`. */
export interface StartPlan extends ContainerPlan {
  /** Whether the program gets the input of `RunningContainer.input`. Without it, its standard input is empty. */
  readonly input?: boolean
  readonly environment: Readonly<Record<string, string>>
  /**
   * Lowest first: from the operating system upward; may be empty. The launch gets a private writable overlay of these
   * layers at /stagerfs. Undefined for a run, which has no /stagerfs.
   */
  readonly stagerfs: readonly LayerSource[] | undefined
  /** Whether the container may be kept when the program has ended: see `RunningContainer.keep`. Not with `input`. */
  readonly keepable?: boolean
  /**
   * Whether the program itself ends what it has started: it alone gets SIGTERM, and a longer grace period. Without it, all
   * processes get the signal. Neither with `keepable` nor with `input`.
   */
  readonly endsItself?: boolean
  /** The launch gets what is kept for it at `STAGER_CACHE`. Undefined for a run, which has no cache. */
  readonly cache: CacheOwner | undefined
  /**
   * By name. The program finds a file for each of them in `STAGER_SECRETS`, in memory: its user can read it, and nobody else
   * in the container but root. It is not in a snapshot, and gone with the container. Without any, there is no such file.
   */
  readonly secrets?: ReadonlyMap<string, Uint8Array>
}

/** What is needed of a start to do the first part of it: see `PreparedContainer.mountAhead`. */
export type MountAheadPlan = Pick<StartPlan, 'stagerfs' | 'cache' | 'command' | 'workingDirectory' | 'environment'>

/** Where a launch finds the secrets that it is given. */
export const STAGER_SECRETS = '/stager-secrets'

/** Where a launch finds what is kept for its stager. */
export const STAGER_CACHE = '/stager-cache'

/** What a cache belongs to: nobody else sees it. */
export interface CacheOwner {
  readonly packageUuid: string
  readonly stagerUuid: string
}

/** What runs in a kept container: see `KeptContainer.openShell`. */
export interface ShellPlan {
  /** Argument vector. Undefined for the shell of the root: bash, or else sh. */
  readonly command: readonly string[] | undefined
  /** Undefined for none. */
  readonly terminal: Terminal | undefined
}

export interface Terminal extends TerminalSize {
  /** The value of TERM. */
  readonly type: string
}

export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** A proxy by its IPv4 address. */
export interface ProxyAddress {
  readonly address: string
  readonly port: number
}

export interface PublishedPort {
  /** TCP port inside the container. */
  readonly containerPort: number
  /** On the loopback address of the host. With 0 the Engine chooses a free port. */
  readonly hostPort: number
}
