import Docker from 'dockerode'
import { askEngine } from './engine-errors.js'

/** A client of the Engine at DOCKER_HOST, or at the default socket. It connects with the first request. */
export function connectEngine(): Docker {
  // After a restart of the Engine, the first request on a kept-alive connection would fail. A new connection to a unix
  // socket costs next to nothing.
  return new Docker({ headers: { Connection: 'close' } })
}

/** Throws `Unavailable` (`engine-down`). */
export async function pingEngine(engine: Docker): Promise<void> {
  await askEngine('answer', engine.ping(), 5_000)
}
