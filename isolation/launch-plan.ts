/**
 * What one container needs, be it of a stager's launch or of a run of a ready package, as plain data: made without I/O
 * by the planner, carried out by an `Isolation`.
 */

/** Everything that the content of a layer depends on. */
export interface LayerContent {
  /** Digest of the package's resource, a tarball in the blob store. */
  readonly sha256: string
  /** What the package takes away from the layers below it. */
  readonly removals: readonly Removal[]
}

/** One package's tree, to be made into a layer. */
export interface LayerSource extends LayerContent {
  /** The package's name, for messages alone. */
  readonly name: string
}

/**
 * Something that a snapshot found gone.
 *
 * `removed`: the path is there in a lower layer and not in the result. `opaque`: the directory is there, but nothing
 * that lower layers hold in it shows through.
 */
export interface Removal {
  readonly kind: 'removed' | 'opaque'
  /** From the root, without a leading slash; bytes outside printable ASCII, and `%`, percent-encoded. */
  readonly path: string
}

/** Each ends the staging with a cause of its own, but for `cpus`, which only slows it. */
export interface Limits {
  readonly memoryBytes: number
  readonly cpus: number
  readonly pids: number
  /** What the stager may add to its root and to /stagerfs together. */
  readonly diskBytes: number
  /** `Infinity` for none. */
  readonly timeoutMs: number
}

/** What a container needs before it is known what is to run in it: see `Isolation.prepare`. */
export interface PreparePlan {
  /** UUID of the launch or run. Every resource made for it is named or labelled after it. */
  readonly id: string
  /** From the operating system upward. */
  readonly root: readonly LayerSource[]
  /** Whether the shim layer is on top of the root: of a stager's launch, not of a run (engine/shim-layer.ts). */
  readonly shims: boolean
  /** A user of the root's /etc/passwd. */
  readonly user: string
  /** Whether it may reach beyond the host. */
  readonly egress: boolean
  /** Of a run; empty for a launch. */
  readonly publish: readonly PublishedPort[]
}

/** What runs in a prepared container: see `PreparedContainer.start`. */
export interface StartPlan {
  /** Run by `/bin/sh -c` inside the container. */
  readonly command: string
  readonly workingDirectory: string
  readonly environment: Readonly<Record<string, string>>
  readonly limits: Limits
  /**
   * From the operating system upward; may be empty. Mounted, writable and private, at /stagerfs. Undefined for a run,
   * which has no /stagerfs.
   */
  readonly stagerfs: readonly LayerSource[] | undefined
  /** TCP port of the host's address on the bridge: all of the host that the container can reach. Undefined for a run. */
  readonly coordinatorPort: number | undefined
}

export interface PublishedPort {
  /** TCP port inside the container. */
  readonly containerPort: number
  /** On the host's loopback address; 0 lets the host choose. */
  readonly hostPort: number
}
