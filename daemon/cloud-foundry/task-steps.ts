import { messageOf, StagerdError } from '../../base/errors.js'

/** A step of the older service has failed; `message` is what it called that. */
export class TaskFailed extends Error {
  constructor(
    message: string,
    readonly reason: unknown,
  ) {
    super(message)
  }
}

/**
 * Errors of `work` become the failure of the step. Faults of this daemon, too: the requester is told which step has failed,
 * and `tell` gets what it was.
 */
export async function failing<T>(
  step: string,
  { signal, tell }: { readonly signal: AbortSignal; readonly tell: (error: unknown) => void },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof StagerdError)) tell(error)
    const reason = wordsOf(error)
    throw new TaskFailed(step === PLUGIN_FAILED ? `${step}: ${reason ?? 'it cannot be started.'}` : step, reason)
  }
}

export const PLUGIN_FAILED = 'Staging plugin failed'

/** Only texts of stagerd, which repeat no URI. */
export function wordsOf(reason: unknown): string | undefined {
  if (typeof reason === 'string') return reason
  return reason instanceof StagerdError ? messageOf(reason) : undefined
}

/** For `catch`: passes over errors with one of these codes, and throws others again. */
export function unlessCode(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof StagerdError) || !codes.includes(error.code)) throw error
  }
}
