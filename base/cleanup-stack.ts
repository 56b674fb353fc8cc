/**
 * Undo, registered before the deed and run last in, first out.
 *
 * INVARIANTS
 * - Every undo runs, whatever the ones before it did, and each at most once.
 * - Undo ignores the cancellation of the job: it gets a signal of its own, which ends only at `deadlineMs`.
 * - An error of the undo never takes the place of the error that led to it: `run` returns what went wrong.
 *
 * An undo must be idempotent and must accept that its deed never happened.
 */
export class CleanupStack {
  readonly #undos: { what: string; undo: Undo }[] = []
  #running: Promise<CleanupFailure[]> | undefined

  /** @param deadlineMs how long the whole of the undo may take, in milliseconds */
  constructor(readonly deadlineMs = 60_000) {}

  /** Register `undo` before the deed that it undoes. `what` names it in a failure: "unmount /stagerfs". */
  defer(what: string, undo: Undo): void {
    if (this.#running) throw new Error(`cannot defer "${what}": this cleanup stack has already run`)
    this.#undos.push({ what, undo })
  }

  /** Run every undo; later calls wait for the first. Never rejects. */
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
  /** What could not be undone. */
  readonly what: string
  readonly error: unknown
}

/** `primary`, carrying what the undo could not do as `cleanupFailures` rather than being replaced by it. */
export function withCleanupFailures(primary: unknown, failures: readonly CleanupFailure[]): unknown {
  if (failures.length > 0 && primary instanceof Error) Object.assign(primary, { cleanupFailures: failures })
  return primary
}
