import { Deferred } from '../../base/deferred.js'

export const EVENT_STREAM = 'text/event-stream'

export interface ServerSentEvent {
  readonly event: string
  readonly id?: string
  /** One line: JSON without line breaks. */
  readonly data: string
}

export function formatEvent({ event, id, data }: ServerSentEvent): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`
}

/** A comment, which clients ignore. It keeps proxies and clients from closing an idle connection. */
export const HEARTBEAT = ': still here\n\n'

/**
 * `events`, each piece as `formatEvent` has made it of one event or more, with a heartbeat after each `everyMs` without an
 * event. Ends when `events` ends; `events` must end when `signal` is aborted.
 */
export async function* eventStream(
  events: AsyncIterable<string>,
  everyMs: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const iterator = events[Symbol.asyncIterator]()
  let next = iterator.next()
  // Sends the headers at once, so that the client knows that it is connected.
  yield HEARTBEAT
  try {
    for (;;) {
      const result = await nextOrSilence(next, everyMs, signal)
      if (result === 'silence') {
        if (signal.aborted) return
        yield HEARTBEAT
        continue
      }
      if (result.done === true) return
      next = iterator.next()
      // Its error is handled when it is awaited; until then it must not count as unhandled.
      next.catch(() => undefined)
      yield result.value
    }
  } finally {
    await iterator.return?.()
  }
}

/** `silence` also when `signal` is aborted. */
async function nextOrSilence<T>(next: Promise<T>, everyMs: number, signal: AbortSignal): Promise<T | 'silence'> {
  const silence = new Deferred<'silence'>()
  const fallSilent = () => {
    silence.resolve('silence')
  }
  const timer = setTimeout(fallSilent, everyMs).unref()
  signal.addEventListener('abort', fallSilent, { once: true })
  if (signal.aborted) fallSilent()
  try {
    return await Promise.race([next, silence.promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', fallSilent)
  }
}
