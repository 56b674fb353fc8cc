import type { Agent } from 'node:http'
import Docker from 'dockerode'
import { BadInput, Unavailable } from '../../base/errors.js'
import { engineAgent } from './engine-agent.js'
import { askEngineAtLength } from './engine-errors.js'

/**
 * A client of the Engine at DOCKER_HOST, or at the default socket. It connects with the first request.
 *
 * Throws what `assertNotBehindSsh` throws.
 *
 * @param at another place than these
 */
export function connectEngine(at: Pick<Docker.DockerOptions, 'socketPath'> = {}): Docker {
  assertNotBehindSsh(process.env.DOCKER_HOST)
  const engine = new Docker(at)
  const modem = modemOf(engine)
  modem.agent = engineAgent(modem.protocol)
  return engine
}

/** The part of docker-modem that is used here. Its types leave it out. */
interface Modem {
  readonly protocol: 'http' | 'https'
  agent: Agent
}

function modemOf(engine: Docker): Modem {
  return engine.modem as unknown as Modem
}

/** The same client, which keeps no connection and uses none that was kept. */
function withNewConnections(engine: Docker): Docker {
  const modem = modemOf(engine)
  const agent = engineAgent(modem.protocol, false)
  const asking = Object.create(modem, { agent: { value: agent } }) as Modem
  return Object.create(engine, { modem: { value: asking } }) as Docker
}

/** Throws `BadInput` (`engine-remote`): the Engine must share the mounts and networks of stagerd. The bundle has no SSH. */
export function assertNotBehindSsh(host = ''): void {
  if (host.startsWith('ssh:'))
    throw new BadInput(
      'engine-remote',
      `DOCKER_HOST is ${host}, but stagerd needs the Docker Engine of its own host: unset it, or set it to a socket such as unix:///var/run/docker.sock.`,
    )
}

/**
 * Throws `Unavailable` (`engine-down`), also for an Engine without its containerd. That one answers, but can neither start a
 * container nor learn of its end. The answer to a ping does not tell that; the list of components omits what is away.
 *
 * The connection is a new one. An Engine that is told to stop takes no more of these before it ends its containers, but goes on to
 * answer over those that it has. So it is known, when a container has ended, whether the Engine may have ended it.
 */
export async function pingEngine(engine: Docker, deadlineMs = 5_000): Promise<void> {
  const asked = withNewConnections(engine)
  // The types lack the options.
  const ask = (abortSignal: AbortSignal) => (asked.version as Version).call(asked, { abortSignal })
  // It is asked again and again: an Engine that hangs must not keep each connection.
  const { Components: components } = await askEngineAtLength('answer', ask, deadlineMs, new AbortController().signal)
  if (!Array.isArray(components))
    throw new Unavailable('engine-down', 'What answers at the socket of the Docker Engine is none: start the Engine.')
  if (!components.some(({ Name }) => Name === 'containerd'))
    throw new Unavailable('engine-down', 'The Docker Engine cannot reach containerd: start containerd.')
}

type Version = (options: { readonly abortSignal: AbortSignal }) => Promise<Docker.DockerVersion>
