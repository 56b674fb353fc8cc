import { createHash } from 'node:crypto'

/** The owner of what stagerd creates on the host. A host can have several checkouts, and a checkout several nodes. */
export interface Owner {
  /** The UUID of the node, which belongs to its state directory. */
  readonly nodeId: string
  /** The absolute directory of the program; a checkout can be cleaned of all its nodes by it. */
  readonly installDirectory: string
}

export const NODE_LABEL = 'io.stagerd.node'
export const INSTALL_LABEL = 'io.stagerd.install'
export const LAUNCH_LABEL = 'io.stagerd.launch'
/** Of a network, and of the container in it. */
export const NETWORK_LABEL = 'io.stagerd.network'

export function ownerLabels(owner: Owner): Record<string, string> {
  return { [NODE_LABEL]: owner.nodeId, [INSTALL_LABEL]: owner.installDirectory }
}

export function launchLabels(owner: Owner, launch: string): Record<string, string> {
  return { ...ownerLabels(owner), [LAUNCH_LABEL]: launch }
}

/** The source of stagerd's mounts in mountinfo, because mounts have no labels. */
export function mountSource(owner: Owner): string {
  return `stagerd-${installTag(owner)}`
}

/** The prefix of the comment of every firewall rule of a node. */
export function nodeComment(owner: Owner): string {
  return `stagerd:${installTag(owner)}:${owner.nodeId.slice(0, 8)}:`
}

/** The name of the container of a launch. It is known before that exists, so cleanup needs no answer of the Engine. */
export function launchName(launch: string): string {
  return `stagerd-${launch}`
}

/** @param network its UUID, which is not that of a launch: several can have the network, one after the other */
export function networkLabels(owner: Owner, network: string): Record<string, string> {
  return { ...ownerLabels(owner), [NETWORK_LABEL]: network }
}

/** The comment of the firewall rules of a network. */
export function networkComment(owner: Owner, network: string): string {
  return nodeComment(owner) + network
}

/** The name of the Docker network: known before it exists, as that of a container. */
export function networkName(network: string): string {
  return `stagerd-network-${network}`
}

/** Interfaces have no labels: so all bridges of a node begin with this. */
export function bridgePrefix(owner: Pick<Owner, 'nodeId'>): string {
  return `sd-${owner.nodeId.slice(-4)}`
}

/**
 * Interface names have at most 15 bytes. The end of a UUID is random in every version; its beginning is a timestamp in
 * some.
 */
export function bridgeName(owner: Pick<Owner, 'nodeId'>, network: string): string {
  return bridgePrefix(owner) + network.slice(-8)
}

function installTag(owner: Owner): string {
  return createHash('sha256').update(owner.installDirectory).digest('hex').slice(0, 8)
}
