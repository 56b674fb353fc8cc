import Docker from 'dockerode'
import { BadInput } from '../../base/errors.js'
import { askEngineAtLength } from './engine-errors.js'

/**
 * A client of the Engine at DOCKER_HOST, or at the default socket. It connects with the first request.
 *
 * Throws what `assertNotBehindSsh` throws.
 */
export function connectEngine(): Docker {
  assertNotBehindSsh(process.env.DOCKER_HOST)
  // After a restart of the Engine, the first request on a kept-alive connection would fail. A new connection to a unix
  // socket costs next to nothing.
  return new Docker({ headers: { Connection: 'close' } })
}

/** Throws `BadInput` (`engine-remote`): the Engine must share the mounts and networks of stagerd. The bundle has no SSH. */
export function assertNotBehindSsh(host = ''): void {
  if (host.startsWith('ssh:'))
    throw new BadInput(
      'engine-remote',
      `DOCKER_HOST is ${host}, but stagerd needs the Docker Engine of its own host: unset it, or set it to a socket such as unix:///var/run/docker.sock.`,
    )
}

/** Throws `Unavailable` (`engine-down`). */
export async function pingEngine(engine: Docker, deadlineMs = 5_000): Promise<void> {
  // The types lack the options.
  const ping = (abortSignal: AbortSignal) => (engine.ping as Ping).call(engine, { abortSignal })
  // It is asked again and again: an Engine that hangs must not keep each connection.
  await askEngineAtLength('answer', ping, deadlineMs, new AbortController().signal)
}

type Ping = (options: { readonly abortSignal: AbortSignal }) => Promise<unknown>
