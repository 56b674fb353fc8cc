import type { Staging } from '../model/staging.js'

export type Conclusion =
  | { readonly kind: 'settled'; readonly staging: Staging }
  /** Ended by `stop`; nothing is recorded yet. */
  | { readonly kind: 'stopped' }
  /** Lost by a fault of the host, not of the stager; the launch is recorded as aborted. */
  | { readonly kind: 'lost'; readonly staging: Staging; readonly error: Error }

/** A launch whose staging goes on, while it ends. */
export interface LaunchEnd {
  /** Resolves when nothing of it runs any more, so that the program of the next one can begin. Never rejects. */
  readonly finished: Promise<void>
  /** Resolves when all that it has printed is in the log, too. Rejects if that could not be written. */
  readonly over: Promise<void>
}

export type LaunchOutcome = Conclusion & {
  /** Undefined if it has ended, and all that it has printed is in the log. */
  readonly end?: LaunchEnd
  /** Resolves when all resources of the launch have been removed; never rejects. */
  readonly released: Promise<void>
}
