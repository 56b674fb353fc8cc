import Docker from 'dockerode'
import { askEngine } from './engine-errors.js'

/** A client of the Engine that DOCKER_HOST names, or of the default socket. Connects when it is first used. */
export function connectEngine(): Docker {
  // A connection kept from before a restart of the Engine would fail the first request after it, although the Engine
  // answers; and a new connection to a unix socket costs next to nothing.
  return new Docker({ headers: { Connection: 'close' } })
}

/** Throws `Unavailable` (`engine-down`). */
export async function pingEngine(engine: Docker): Promise<void> {
  await askEngine('answer', engine.ping(), 5_000)
}
