import type { Staging } from '../model/staging.js'

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
