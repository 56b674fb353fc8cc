/**
 * Cleanup functions, each registered before the action that it undoes, and run last in, first out.
 *
 * INVARIANTS
 * - Every function runs, whether or not the others fail, and at most once.
 * - Cleanup does not stop when the work is cancelled: its signal is aborted only after `deadlineMs`.
 * - `run` returns failures instead of throwing them, so that they never replace the error that led to the cleanup.
 *
 * A cleanup function must be idempotent, and must succeed if its action never happened.
 */
export class CleanupStack {
  readonly #undos: { what: string; undo: Undo }[] = []
  #running: Promise<CleanupFailure[]> | undefined

  /** @param deadlineMs for all functions together, in milliseconds */
  constructor(readonly deadlineMs = 60_000) {}

  /** Call this before the action that `undo` undoes. `what` names it in a failure: "unmount /stagerfs". */
  defer(what: string, undo: Undo): void {
    if (this.#running) throw new Error(`cannot defer "${what}": this cleanup stack has already run`)
    this.#undos.push({ what, undo })
  }

  /** Later calls wait for the first. Never rejects. */
  run(): Promise<CleanupFailure[]> {
    this.#running ??= this.#run()
    return this.#running
  }

  async #run(): Promise<CleanupFailure[]> {
    const failures: CleanupFailure[] = []
    const signal = AbortSignal.timeout(this.deadlineMs)
    for (let next = this.#undos.pop(); next; next = this.#undos.pop()) {
      const { what, undo } = next
      try {
        await undo(signal)
      } catch (error) {
        failures.push({ what, error })
      }
    }
    return failures
  }
}

export type Undo = (signal: AbortSignal) => void | Promise<void>

export interface CleanupFailure {
  /** The name of the function that failed: what could not be undone. */
  readonly what: string
  readonly error: unknown
}

/** Adds the failures of a cleanup to the error that led to it, as the property `cleanupFailures`. */
export function withCleanupFailures(primary: unknown, failures: readonly CleanupFailure[]): unknown {
  if (failures.length > 0 && primary instanceof Error) Object.assign(primary, { cleanupFailures: failures })
  return primary
}
