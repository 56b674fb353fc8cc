import { createHash } from 'node:crypto'

/** Whose the things are that we make on the host. One host may have several checkouts, and each several nodes. */
export interface Owner {
  /** UUID of the node: of the state directory. */
  readonly nodeId: string
  /** Absolute directory of the program, so that a checkout can be cleaned of all its nodes. */
  readonly installDirectory: string
}

export const NODE_LABEL = 'io.stagerd.node'
export const INSTALL_LABEL = 'io.stagerd.install'
export const LAUNCH_LABEL = 'io.stagerd.launch'

export function ownerLabels(owner: Owner): Record<string, string> {
  return { [NODE_LABEL]: owner.nodeId, [INSTALL_LABEL]: owner.installDirectory }
}

export function launchLabels(owner: Owner, launch: string): Record<string, string> {
  return { ...ownerLabels(owner), [LAUNCH_LABEL]: launch }
}

/** Source of our mounts, as mountinfo shows it: mounts have no labels. */
export function mountSource(owner: Owner): string {
  return `stagerd-${installTag(owner)}`
}

/** Begins the comment of every firewall rule of a node. */
export function nodeComment(owner: Owner): string {
  return `stagerd:${installTag(owner)}:${owner.nodeId.slice(0, 8)}:`
}

export function launchComment(owner: Owner, launch: string): string {
  return nodeComment(owner) + launch
}

/** Name of the container and of the network of a launch: known before they exist, so that undo needs no answer. */
export function launchName(launch: string): string {
  return `stagerd-${launch}`
}

/**
 * The kernel allows an interface name 15 bytes. The end of a UUID is random in every version; its beginning is a clock
 * in some.
 */
export function bridgeName(launch: string): string {
  return `sd-${launch.slice(-12)}`
}

function installTag(owner: Owner): string {
  return createHash('sha256').update(owner.installDirectory).digest('hex').slice(0, 8)
}
