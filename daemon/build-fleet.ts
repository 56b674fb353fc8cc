import { hostname } from 'node:os'
import type { NodeIdentity } from './model/node.js'
import { NodeCredentials } from './node-listener.js'
import { Peers } from './peers/peers.js'
import { formatAddress, nodeAddressOf } from './settings/node-address.js'
import type { Settings } from './settings/settings.js'
import { leaseOf } from './staging/held-term.js'

/**
 * This node as others see it that share its database, and its way to them. Throws `BadInput` for a node address, or its
 * certificate, that cannot be used.
 *
 * @param concurrency how many stagings it runs at once; it may change
 */
export async function buildFleet({ node, control, database }: Settings, uuid: string, concurrency: () => number) {
  const address = nodeAddressOf(node.link)
  const credentials = await NodeCredentials.read(address)
  const { name = hostname(), labels, leaseMs } = node
  const identity: NodeIdentity = {
    ...{ uuid, name, labels },
    address: control.address && formatAddress(control.address),
    nodeAddress: address && formatAddress(address),
    get concurrency() {
      return concurrency()
    },
  }
  const isShared = database.kind === 'postgresql'
  const peers = new Peers(() => credentials?.current)
  return { identity, isShared, lease: isShared ? leaseOf(leaseMs) : undefined, credentials, peers }
}
