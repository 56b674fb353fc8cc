import { randomUUID } from 'node:crypto'
import type { NodeIdentity } from '../../../daemon/model/node.js'
import type { NodeLedger } from '../../../daemon/store/node-ledger.js'
import type { SqlStore } from '../../../daemon/store/sql/store.js'

export type StoreOfNode = Pick<SqlStore, 'nodes' | 'nodeLedger'>

export const nodeIdentity = (changes: Partial<NodeIdentity> = {}): NodeIdentity => ({
  uuid: randomUUID(),
  name: 'node',
  labels: [],
  address: undefined,
  nodeAddress: undefined,
  concurrency: 4,
  ...changes,
})

const opened = new WeakMap<StoreOfNode, Promise<NodeLedger>>()

/** The ledger of the only node that a test needs: always the same for a store. Its lease is never over. */
export function nodeLedgerOf(store: StoreOfNode): Promise<NodeLedger> {
  const ledger = opened.get(store) ?? openLedger(store)
  opened.set(store, ledger)
  return ledger
}

/** That of a new term. By default, its node has the database to itself. */
export async function openLedger(store: StoreOfNode, node = nodeIdentity(), leaseMs?: number): Promise<NodeLedger> {
  return store.nodeLedger(await store.nodes.openTerm(node, leaseMs))
}
