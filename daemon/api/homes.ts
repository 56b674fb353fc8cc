import type { KeptLaunches } from '../staging/kept-launches.js'
import type { NodeRepository } from '../store/node-repository.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { Asked } from './access.js'

/**
 * Which node can answer the requests of a route, where not every one can. `asked`: the one that the query names. `kept`: the
 * one that keeps the container of a staging.
 */
export type Home = 'asked' | 'kept'

export interface HomesParts {
  readonly ledger: Pick<StagingLedger, 'get'>
  readonly nodes: Pick<NodeRepository, 'get' | 'ofTerms'>
  readonly kept: Pick<KeptLaunches, 'of'>
  /** UUID of this node. */
  readonly self: string
}

/** Finds the nodes that requests belong to. */
export class Homes {
  readonly #parts: HomesParts

  constructor(parts: HomesParts) {
    this.#parts = parts
  }

  get self(): string {
    return this.#parts.self
  }

  /** The UUID of another node; undefined if this one answers, also with what is wrong. Throws what `NodeRepository.get` throws. */
  async of(home: Home, { params, query }: Asked): Promise<string | undefined> {
    const node =
      home === 'asked'
        ? await this.#named((query as { readonly node?: string }).node)
        : await this.#keeping((params as { readonly uuid: string }).uuid)
    return node === this.#parts.self ? undefined : node
  }

  async #named(node: string | undefined): Promise<string | undefined> {
    // A node answers for itself also while the database is away.
    if (node === undefined || node === this.#parts.self) return node
    return (await this.#parts.nodes.get(node)).uuid
  }

  /** Its launch has failed where the staging has ended. */
  async #keeping(staging: string): Promise<string | undefined> {
    const { ledger, nodes, kept } = this.#parts
    if (kept.of(staging)) return undefined
    const { state, term, keepFailedMs } = await ledger.get(staging)
    if (state !== 'failed' || term === undefined || keepFailedMs === undefined) return undefined
    return (await nodes.ofTerms([term])).get(term)?.uuid
  }
}
