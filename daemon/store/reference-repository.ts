import type { Resource } from '../packages/package.js'

/** What a collection of garbage asks: what is referred to, and what is history. Each method is one transaction. */
export interface ReferenceRepository {
  /** Resources of every package, and of every staging that has not ended. */
  resources(): Promise<readonly Pick<Resource, 'sha256' | 'removals'>[]>
  stagings(): Promise<readonly StagingAge[]>
  /** Those of them that have ended are forgotten, with their launches; which they were is returned. */
  forgetStagings(uuids: readonly string[]): Promise<readonly string[]>
}

export interface StagingAge {
  readonly uuid: string
  /** Undefined while it has not ended. */
  readonly endedAt: Date | undefined
}
