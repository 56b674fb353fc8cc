import type Docker from 'dockerode'
import { Unavailable } from '../../base/errors.js'
import { pingEngine } from './connect.js'
import { askEngineAtLength } from './engine-errors.js'

/** The Engine answers at once with a stream, on which nothing comes. */
const DEADLINE_MS = 60_000

/**
 * Calls `lost` when the Engine ends. Whether it answers does not tell that: a service manager holds its socket and starts
 * another Engine, which answers the next question as if nothing had happened, and knows only that the container is dead.
 *
 * Throws what `askEngineAtLength` throws. `signal` ends the watch.
 */
export async function watchEngine(
  engine: Docker,
  lost: (error: Unavailable) => void,
  signal: AbortSignal,
): Promise<void> {
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
      if (!signal.aborted)
        lost(new Unavailable('engine-down', 'The Docker Engine has ended, and its containers with it.'))
    })
  stream.resume()
}

/**
 * Resolves when an Engine answers, or none does for some seconds. If the one of `watchEngine` has ended until then, `lost` has
 * been called: to be awaited before the end of a container is laid to its program.
 */
export async function confirmEngine(engine: Docker): Promise<void> {
  await pingEngine(engine).catch(() => undefined)
}
