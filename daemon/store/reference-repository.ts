import type { Resource } from '../packages/package.js'

/** Queries of garbage collection. Each method is one transaction. */
export interface ReferenceRepository {
  /** The resources of all packages, and of the stagings that need theirs: those that have not ended or can be retried. */
  resources(): Promise<readonly Pick<Resource, 'sha256' | 'removals'>[]>
  /**
   * Digests of the blobs that only the histories of packages need. To be read after `resources`: data that moves from a
   * package to its history in between is in one of them.
   */
  history(): Promise<readonly string[]>
  /** The same without the outputs of stagers, which can be made again. */
  results(): Promise<readonly string[]>
  /** Whether any row names the blob: of a package, of its history, or of a staging that needs it or began with it. */
  refersTo(sha256: string): Promise<boolean>
  stagings(): Promise<readonly StagingAge[]>
  /** Deletes those of the stagings that have ended, with their launches; returns their UUIDs. */
  forgetStagings(uuids: readonly string[]): Promise<readonly string[]>
}

export interface StagingAge {
  readonly uuid: string
  /** Undefined if it has not ended. */
  readonly endedAt: Date | undefined
}
