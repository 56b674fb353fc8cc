import pRetry from 'p-retry'

const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 5_000

/** Retries `attempt` until it succeeds. Rejects only when `signal` is aborted. */
export async function retryUntilStopped<T>(
  attempt: () => Promise<T>,
  onError: (error: unknown) => void,
  signal: AbortSignal,
): Promise<T> {
  const wrapped = async () => {
    try {
      return await attempt()
    } catch (error) {
      onError(error)
      // p-retry gives up at a TypeError, which an unexpected answer of the Engine can cause.
      throw new Error('the attempt failed', { cause: error })
    }
  }
  return await pRetry(wrapped, { retries: Infinity, minTimeout: FIRST_RETRY_MS, maxTimeout: LONGEST_RETRY_MS, signal })
}
