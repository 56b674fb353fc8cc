import type { ForcedEnding } from '../../isolation/isolation.js'
import type { Staging } from '../model/staging.js'
import type { RecordedVerdict } from './record-verdict.js'

/** What ended a launch. */
export type LaunchCause =
  /** `recorded` resolves after the transaction of the verdict, or with what ended the container before it. */
  | { readonly kind: 'verdict'; readonly recorded: Promise<RecordedVerdict | Earlier> }
  /** The container has ended without a verdict, or is being ended for `cause`. */
  | { readonly kind: 'ended'; readonly cause?: ForcedEnding }
  /** It has sent more data than it may have in the store. */
  | { readonly kind: 'data-limit'; readonly limitBytes: number }
  | { readonly kind: 'stopped' }

export interface Earlier {
  readonly earlier: ForcedEnding
}

export type Conclusion =
  | { readonly kind: 'settled'; readonly staging: Staging }
  /** Ended by `stop`; nothing is recorded yet. */
  | { readonly kind: 'stopped' }
  /** Lost by a fault of the host, not of the stager; the launch is recorded as aborted. */
  | { readonly kind: 'lost'; readonly staging: Staging; readonly error: Error }

export type LaunchOutcome = Conclusion & {
  /**
   * Resolves when nothing of the launch runs any more, and all that it has printed is in the log; undefined if that is so. Rejects
   * if that could not be written.
   */
  readonly over?: Promise<void>
  /** Resolves when all resources of the launch have been removed; never rejects. */
  readonly released: Promise<void>
}
