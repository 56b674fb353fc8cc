import type { Compression } from '../../isolation/compression.js'
import type { Removal } from '../../isolation/launch-plan.js'
import type { Manifest } from './manifest/manifest.js'
import type { PackageMetadata } from './metadata.js'

/**
 * `created`: metadata without data. `uploaded`: has data, not staged. `staging`: being staged. `ready`: can run, and
 * others may depend on it. `failed`: its last staging failed; the data is unchanged.
 */
export const PACKAGE_STATES = ['created', 'uploaded', 'staging', 'ready', 'failed'] as const
export type PackageState = (typeof PACKAGE_STATES)[number]

/** The tarball of a package, stored as a blob, with the removals that it makes in the layers below. */
export interface Resource {
  readonly uuid: string
  readonly sha256: string
  /** Known only if it was computed when the blob was written, for example because the client sent one. */
  readonly sha1: string | undefined
  /** In bytes. */
  readonly length: number
  readonly compression: Compression
  readonly removals: readonly Removal[]
}

export interface Package extends PackageMetadata {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  readonly state: PackageState
  /**
   * Whether it can run and others may depend on it: it is `ready`, or was ready when the staging began that is under way.
   * Then it has its data from before.
   */
  readonly usable: boolean
  readonly resource: Resource | undefined
  /** Informative only. */
  readonly version?: string | undefined
  /** Informative only. */
  readonly description?: string | undefined
  /** The digest of the recipe that it was made from, where this daemon, or the one that exported it, has made it. */
  readonly recipe?: string | undefined
  /** What it was staged with, for runs and jobs. Undefined for a manifest that says nothing. */
  readonly manifest?: Manifest | undefined
  /** Increases with every import. The smaller value wins a tie between candidates. */
  readonly importOrder: number
  /** ISO 8601, UTC. */
  readonly createdAt: string
  readonly updatedAt: string
}

/** The digest of its data, if it has any. */
export function blobsOf({ resource }: Pick<Package, 'resource'>): readonly string[] {
  return resource ? [resource.sha256] : []
}
