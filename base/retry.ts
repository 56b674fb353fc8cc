import { setTimeout as delay } from 'node:timers/promises'

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5_000

/** Try `attempt` until it succeeds, with growing pauses. Rejects only when `signal` is aborted. */
export async function retryUntil(
  signal: AbortSignal,
  attempt: () => Promise<void>,
  onFailure: (error: unknown) => void,
): Promise<void> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted()
    try {
      await attempt()
      return
    } catch (error) {
      onFailure(error)
    }
    await delay(pause, undefined, { signal })
  }
}
