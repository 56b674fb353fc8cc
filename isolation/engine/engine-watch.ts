import type Docker from 'dockerode'
import { Unavailable } from '../../base/errors.js'
import { orAborted } from '../../base/or-aborted.js'
import { pingEngine } from './connect.js'
import { askEngineAtLength } from './engine-errors.js'

/** The Engine answers at once with a stream, on which nothing comes. */
const DEADLINE_MS = 60_000

type Lost = (error: Unavailable) => void

/** The open stream of each Engine that is watched. */
const streams = new WeakMap<Docker, EventStream>()

/**
 * Calls `lost` when the Engine ends. Whether it answers does not tell that: a service manager holds its socket and starts
 * another Engine, which answers the next question as if nothing had happened, and knows only that the container is dead.
 *
 * All watches of an Engine share one stream of events, which ends with the last of them.
 *
 * Throws what `askEngineAtLength` throws. `signal` ends the watch.
 */
export async function watchEngine(engine: Docker, lost: Lost, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  let stream = streams.get(engine)
  if (!stream) {
    const made = new EventStream(engine, () => {
      if (streams.get(engine) === made) streams.delete(engine)
    })
    streams.set(engine, (stream = made))
  }
  stream.add(lost, signal)
  await orAborted(stream.opened, signal)
}

class EventStream {
  /** Rejects with what `askEngineAtLength` throws. */
  readonly opened: Promise<void>
  readonly #watching = new Set<Lost>()
  readonly #over = new AbortController()

  /** @param gone called as soon as nobody else may watch by it. It may be called more than once */
  constructor(
    engine: Docker,
    private readonly gone: () => void,
  ) {
    this.opened = this.#open(engine)
    this.opened.catch(gone)
  }

  add(lost: Lost, signal: AbortSignal): void {
    // Of its own: a caller may pass the same function twice.
    const watching: Lost = (error) => lost(error)
    this.#watching.add(watching)
    const leave = () => {
      this.#watching.delete(watching)
      if (this.#watching.size > 0) return
      this.gone()
      this.#over.abort()
    }
    signal.addEventListener('abort', leave, { once: true })
  }

  async #open(engine: Docker): Promise<void> {
    const { signal } = this.#over
    const stream = await askEngineAtLength(
      'tell of its end',
      (abortSignal) => engine.getEvents({ filters: { type: ['daemon'] }, abortSignal }),
      DEADLINE_MS,
      signal,
    )
    // The Engine closes its streams before it ends its containers.
    stream
      .on('error', () => undefined)
      .on('close', () => {
        this.gone()
        const error = new Unavailable('engine-down', 'The Docker Engine has ended, and its containers with it.')
        if (!signal.aborted) for (const lost of this.#watching) lost(error)
      })
    stream.resume()
  }
}

/**
 * Resolves when an Engine answers, or none does for some seconds. If the one of `watchEngine` has ended until then, `lost` has
 * been called: to be awaited before the end of a container is laid to its program.
 */
export async function confirmEngine(engine: Docker): Promise<void> {
  await pingEngine(engine).catch(() => undefined)
}
