import type { FleetNode, NodeIdentity, NodeState, Term } from '../model/node.js'

/**
 * The nodes that share the database, and their terms. Every method is one transaction, unless it says otherwise.
 *
 *   openTerm ──> open ──renewTerm──> open …
 *                  └──closeTerm, openTerm of the same node, endOverdue of any node──> ended
 *
 * INVARIANTS
 * - A node has at most one open term. A term that has ended is never open again.
 * - A running staging is owned by an open term, or by none: the transaction that ends a term gives up its stagings. Then
 *   the next node that admits one goes on with them.
 * - Whether a lease is over, the clock of the database says alone.
 */
export interface NodeRepository {
  /**
   * Begins a term, and ends the earlier one of this node: the lock of its state directory has shown that no process of it is left.
   * That is not so `after` a term of the same process: then a later one, whose lease is not over, is of a process with a copy of
   * the state directory. Throws `Conflict` (`node-id-in-use`) then, so that the two do not take each other's stagings in turn.
   * Only a new process gives its node a state: what somebody has asked for meanwhile stays.
   *
   * @param node with the number of the last term of this process, if it has had one
   * @param leaseMs how long it lasts unless it is renewed, in milliseconds. Default: for ever, for a node that has the database
   *   to itself: then the terms of all nodes are ended
   */
  openTerm(
    node: NodeIdentity & { readonly state?: NodeState; readonly after?: number | undefined },
    leaseMs?: number,
  ): Promise<OpenedTerm>
  /** Lets the lease last so many milliseconds from now, also if it was over already. Throws `Conflict` (`lease-lost`) if the term has ended. @param concurrency of the node, if it may have changed */
  renewTerm(term: Term, leaseMs: number, concurrency?: number): Promise<Renewal>
  /** Idempotent. */
  closeTerm(term: Term): Promise<void>
  /** Ends the terms whose lease is over, in a transaction each. Returns how many running stagings have no owner now. */
  endOverdue(): Promise<number>

  /** By name. */
  list(): Promise<readonly FleetNode[]>
  /** By UUID or name. Throws `NotFound` (`node-not-found`), `Conflict` (`node-ambiguous`). */
  get(node: string): Promise<FleetNode>
  /** Whose these terms are or were, by the number of the term. Those of nodes that were forgotten are left out. */
  ofTerms(terms: readonly number[]): Promise<ReadonlyMap<number, NodeName>>
  /** The node obeys when it renews its term, or is woken. Throws what `get` throws. */
  setState(node: string, state: NodeState): Promise<FleetNode>
  /** Forgets a node. Throws `Conflict` (`node-alive`) if it has an open term, and what `get` throws. */
  remove(node: string): Promise<FleetNode>
}

export type NodeName = Pick<NodeIdentity, 'uuid' | 'name'>

export interface OpenedTerm extends Term {
  /** How many running stagings have no owner now. */
  readonly interrupted: number
}

/** What a node learns when it renews its term. */
export interface Renewal {
  readonly state: NodeState
  /** UUIDs of its running stagings that are to be cancelled. */
  readonly cancelled: readonly string[]
}
