import type { Removal } from '../../isolation/launch-plan.js'
import type { PackageMetadata } from './metadata.js'

/**
 * `created`: metadata without data. `uploaded`: data, not staged. `staging`: a pipeline has it. `ready`: others may
 * depend on it, and it can run. `failed`: its last staging failed; the data is as it was before.
 */
export const PACKAGE_STATES = ['created', 'uploaded', 'staging', 'ready', 'failed'] as const
export type PackageState = (typeof PACKAGE_STATES)[number]

/** The tarball of a package, a blob, with what it takes away from the layers below it. */
export interface Resource {
  readonly uuid: string
  readonly sha256: string
  /** Known where a client wanted it, and for what we uploaded ourselves. */
  readonly sha1: string | undefined
  /** In bytes. */
  readonly length: number
  readonly compression: Compression
  readonly removals: readonly Removal[]
}

export type Compression = 'gzip' | 'bzip2' | 'xz' | 'zstd' | 'none'

export interface Package extends PackageMetadata {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  readonly state: PackageState
  readonly resource: Resource | undefined
  /** For people; nothing is decided by it. */
  readonly version?: string | undefined
  /** For people. */
  readonly description?: string | undefined
  /** Grows with every import; the smaller one wins a tie between candidates. */
  readonly importOrder: number
  /** ISO 8601, UTC. */
  readonly createdAt: string
  readonly updatedAt: string
}
