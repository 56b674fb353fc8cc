import type Docker from 'dockerode'
import { EngineRefusal, askEngine } from '../engine/engine-errors.js'
import { askEngineToRemove } from '../engine/engine-work.js'

/**
 * Removes a network of ours, together with whatever is connected to it. Succeeds if it does not exist.
 *
 * The Engine refuses to remove a network with an endpoint. An endpoint can outlive its container: Docker 20.10 keeps that
 * of a container that has ended while containerd was away. Nobody else removes it, and nobody needs it.
 *
 * @param nameOrId of a network that no launch uses any more
 */
export async function removeNetwork(engine: Docker, nameOrId: string): Promise<void> {
  const network = engine.getNetwork(nameOrId)
  const remove = () => askEngineToRemove(engine, 'remove a network', network.remove() as Promise<unknown>)
  try {
    await remove()
  } catch (error) {
    if (!(error instanceof EngineRefusal && /active endpoints/i.test(error.reason))) throw error
    await disconnectAll(engine, network)
    await remove()
  }
}

async function disconnectAll(engine: Docker, network: Docker.Network): Promise<void> {
  const { Containers: endpoints = {} } = await askEngine('look at a network', network.inspect() as Promise<Inspected>)
  for (const { Name } of Object.values(endpoints ?? {})) {
    // By the name of the endpoint, which is that of its container: the id of a container that is gone is not found.
    const disconnected = network.disconnect({ Container: Name, Force: true }) as Promise<unknown>
    await askEngineToRemove(engine, 'disconnect a container', disconnected)
  }
}

interface Inspected {
  readonly Containers?: Readonly<Record<string, { readonly Name: string }>> | null
}
