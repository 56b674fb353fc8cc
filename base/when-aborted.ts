/** Calls `action` once, when the signal is aborted; now if it is that already: then it says so to nobody any more. */
export function whenAborted(signal: AbortSignal, action: () => void): void {
  if (signal.aborted) action()
  else signal.addEventListener('abort', action, { once: true })
}
