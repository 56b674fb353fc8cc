/** Settles as `promise` does, or rejects with the reason of the signal when that is aborted first. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    // A listener that stays would be kept for as long as the signal.
    if (onAbort) signal.removeEventListener('abort', onAbort)
  }
}
