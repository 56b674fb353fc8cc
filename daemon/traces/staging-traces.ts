import type { Staging } from '../model/staging.js'

/** A step of a launch that has just ended. */
export interface EndedStep {
  /** Both UUIDs. */
  readonly staging: string
  readonly launch: string
  readonly step: string
  readonly milliseconds: number
}

/** What stagings did, as traces: one for each staging. Neither function throws. */
export interface StagingTraces {
  step(step: EndedStep): void
  /** To be called once for each staging, when its end is durable. */
  ended(staging: Staging): void
}
