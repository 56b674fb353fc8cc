import type { Logger } from 'pino'
import type { NodeIdentity, NodeState, Term } from '../model/node.js'
import { isLeaseLost } from '../store/lease-lost.js'
import type { NodeLedger } from '../store/node-ledger.js'
import type { NodeRepository, OpenedTerm, Renewal } from '../store/node-repository.js'

/** All in milliseconds. `stopMs` is below `leaseMs`: by how much, the launches of the node have time to end. */
export interface Lease {
  /** How long a term lasts in the database after a renewal. */
  readonly leaseMs: number
  readonly renewMs: number
  /** After which time without an answer, or after a failure, it is renewed again. */
  readonly retryMs: number
  /** How long after it has sent its last renewal a node takes its term as lost. */
  readonly stopMs: number
}

/** After a renewal that fails, there is time for several before the node has to stop. */
export function leaseOf(leaseMs: number): Lease {
  return { leaseMs, renewMs: leaseMs / 3, retryMs: leaseMs / 10, stopMs: (leaseMs * 2) / 3 }
}

export interface TermParts {
  readonly nodes: Pick<NodeRepository, 'openTerm' | 'renewTerm' | 'closeTerm' | 'endOverdue'>
  readonly node: NodeIdentity
  readonly ledgerOf: (term: Term) => NodeLedger
  readonly logger: Pick<Logger, 'warn'>
  /** Undefined where no other node can use the database: there, nobody could end the term, and nothing is renewed. */
  readonly lease?: Lease | undefined
  /** For tests: in milliseconds; never goes back. */
  readonly monotonicMs?: () => number
}

/** @param interrupted how many running stagings of others have no owner since then */
type Learned = (renewal: Renewal, interrupted: number) => void

/**
 * A term as its node sees it: open until `lost` is aborted.
 *
 * The node counts from when it sent its last renewal, by its monotonic clock, so that it has stopped before the lease is over
 * in the database, whatever its time of day is and however long the answer took. If it stops too late all the same, because
 * the process was not running for instance, the database refuses what it records.
 */
export class HeldTerm {
  readonly ledger: NodeLedger
  readonly number: number
  /** How many running stagings had no owner when it began. */
  readonly interrupted: number
  readonly #parts: TermParts
  readonly #term: Term
  readonly #lost = new AbortController()
  readonly #learned: Learned
  /** When the renewal was sent that holds it now. */
  #heldFrom = -Infinity
  #renewal: NodeJS.Timeout | undefined
  #deadline: NodeJS.Timeout | undefined

  private constructor(parts: TermParts, term: OpenedTerm, sentAt: number, learned: Learned) {
    this.#parts = parts
    this.#term = term
    this.#learned = learned
    this.ledger = parts.ledgerOf(term)
    this.number = term.number
    this.interrupted = term.interrupted
    this.#holdFrom(sentAt)
    if (parts.lease) this.#renewLater(parts.lease.renewMs)
  }

  /**
   * Throws `Conflict` (`node-id-in-use`), and what the database throws.
   *
   * @param learned is called after each renewal; must not throw
   * @param after the number of the last term of this process
   */
  static async open(parts: TermParts, state: NodeState, learned: Learned, after?: number): Promise<HeldTerm> {
    const sentAt = (parts.monotonicMs ?? monotonicMs)()
    const term = await parts.nodes.openTerm({ ...parts.node, state, after }, parts.lease?.leaseMs)
    return new HeldTerm(parts, term, sentAt, learned)
  }

  /** Aborted when the node must stop what it runs: the term has ended, or soon may. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** Takes it as lost. Idempotent. */
  lose(why: unknown): void {
    this.#stopTimers()
    this.#lost.abort(why)
  }

  /** Renews it now, and not only when that is due. Never rejects. */
  async renew(): Promise<void> {
    const { lease, nodes, node, logger } = this.#parts
    if (!lease || this.lost.aborted) return
    // It may never be answered, if its connection is dead.
    this.#renewLater(lease.retryMs)
    const sentAt = this.#now()
    try {
      const renewal = await nodes.renewTerm(this.#term, lease.leaseMs, node.concurrency)
      // Or a later one was answered sooner.
      if (this.#isLost() || sentAt < this.#heldFrom) return
      this.#holdFrom(sentAt)
      this.#renewLater(lease.renewMs)
      this.#learned(renewal, await this.#endOverdue())
    } catch (error) {
      if (isLeaseLost(error)) {
        this.lose(error)
        return
      }
      logger.warn({ err: error, term: this.number }, 'the term of this node could not be renewed')
    }
  }

  /** Ends it, so that others need not wait until its lease is over. Nothing of its stagings may be at work. Never rejects. */
  async close(): Promise<void> {
    this.lose(new Error('its node has closed it'))
    try {
      await this.#parts.nodes.closeTerm(this.#term)
    } catch (error) {
      // It ends with its lease, or when this node begins another one.
      this.#parts.logger.warn({ err: error, term: this.number }, 'the term of this node could not be closed')
    }
  }

  /** Of nodes that have died. */
  async #endOverdue(): Promise<number> {
    const { nodes, logger } = this.#parts
    try {
      return await nodes.endOverdue()
    } catch (error) {
      logger.warn({ err: error }, 'the terms of other nodes whose lease is over could not be ended')
      return 0
    }
  }

  #holdFrom(sentAt: number): void {
    const { lease } = this.#parts
    if (!lease) return
    this.#heldFrom = sentAt
    clearTimeout(this.#deadline)
    const over = () => this.lose(new Error(`its lease was not renewed for ${lease.stopMs} ms`))
    this.#deadline = setTimeout(over, sentAt + lease.stopMs - this.#now())
  }

  #renewLater(inMs: number): void {
    clearTimeout(this.#renewal)
    this.#renewal = setTimeout(() => void this.renew(), inMs)
  }

  #stopTimers(): void {
    clearTimeout(this.#renewal)
    clearTimeout(this.#deadline)
  }

  #isLost(): boolean {
    return this.#lost.signal.aborted
  }

  #now(): number {
    return (this.#parts.monotonicMs ?? monotonicMs)()
  }
}

function monotonicMs(): number {
  return performance.now()
}
