import type { Staging } from '../model/staging.js'

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
