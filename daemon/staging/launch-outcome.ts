import type { Staging } from '../model/staging.js'
import type { RecordedVerdict } from './record-verdict.js'

/** What ended a launch. */
export type LaunchCause =
  /** `recorded` resolves after the transaction of the verdict. */
  | { readonly kind: 'verdict'; readonly recorded: Promise<RecordedVerdict> }
  /** The container ended without a verdict. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'stopped' }

export type Conclusion =
  | { readonly kind: 'settled'; readonly staging: Staging }
  /** Ended by `stop`; nothing is recorded yet. */
  | { readonly kind: 'stopped' }
  /** Lost by a fault of the host, not of the stager; the launch is recorded as aborted. */
  | { readonly kind: 'lost'; readonly staging: Staging; readonly error: Error }

export type LaunchOutcome = Conclusion & {
  /** Resolves when all resources of the launch have been removed; never rejects. */
  readonly released: Promise<void>
}
