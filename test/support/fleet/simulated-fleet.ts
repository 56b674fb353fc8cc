import { randomUUID } from 'node:crypto'
import { Conflict, NotFound } from '../../../base/errors.js'
import type { Term } from '../../../daemon/model/node.js'
import { openLaunchOf, type Staging } from '../../../daemon/model/staging.js'
import { isLeaseLost } from '../../../daemon/store/lease-lost.js'
import type { NodeLedger } from '../../../daemon/store/node-ledger.js'
import type { SqlStore } from '../../../daemon/store/sql/store.js'
import { packageDraft, resource, stagerSnapshot } from '../../contract/samples.js'
import type { FleetEvent } from './check-history.js'
import { nodeIdentity } from './node-ledger.js'

export const LEASE_MS = 30_000

export type Action =
  | { readonly what: 'submit' }
  | { readonly what: 'wait'; readonly ms: number }
  | { readonly what: 'cancel'; readonly nth: number }
  | OfNode

interface OfNode {
  readonly what: NodeAction
  readonly node: number
  /** Which of its terms and stagings. */
  readonly nth: number
}

export const NODE_ACTIONS = [
  ...['open', 'renew', 'close', 'end-overdue', 'read', 'admit', 'begin', 'running'],
  ...['advance', 'succeed', 'fail', 'relaunch', 'abort', 'cancel-running'],
] as const
type NodeAction = (typeof NODE_ACTIONS)[number]

interface Believed {
  readonly term: Term
  readonly ledger: NodeLedger
  /** As the node has last read them: they may be another node's by now. */
  readonly stagings: Map<string, Staging>
}

/** What makes the ledger of a term; a broken one is given in its place. */
export type LedgerOf = (term: Term) => NodeLedger

/**
 * Nodes that do what they believe they may do, on one database with a virtual clock. None of them minds its own time: what
 * keeps them from harm is the database alone.
 */
export class SimulatedFleet {
  readonly events: FleetEvent[] = []
  now = Date.parse('2026-01-01T00:00:00Z')
  readonly #nodes: readonly { readonly identity: ReturnType<typeof nodeIdentity>; terms: Believed[] }[]
  readonly #submitted: string[] = []

  constructor(
    private readonly store: () => Pick<SqlStore, 'packages' | 'ledger' | 'nodes' | 'nodeLedger'>,
    private readonly ledgerOf: LedgerOf,
    count = 2,
  ) {
    this.#nodes = Array.from({ length: count }, (_, n) => ({
      identity: nodeIdentity({ name: `node-${n}` }),
      terms: [],
    }))
  }

  get submitted(): readonly string[] {
    return this.#submitted
  }

  /** What the database refuses is no fault of the test. */
  async act(action: Action): Promise<void> {
    try {
      await this.#act(action)
    } catch (error) {
      if (!(error instanceof Conflict || error instanceof NotFound || isLeaseLost(error))) throw error
    }
  }

  /** A node that is alone takes all that is left, and ends it. */
  async finish(): Promise<void> {
    this.now += 10 * LEASE_MS
    await this.#endOverdue()
    const node = { identity: nodeIdentity({ name: 'last' }), terms: [] as Believed[] }
    await this.#open(node)
    const [believed] = node.terms
    for (;;) {
      const staging = await this.#admit(believed!)
      if (!staging) return
      await this.#transition(believed!, staging, 'fail', (ledger) =>
        ledger.fail(staging.uuid, openLaunchOf(staging)?.uuid, FAILURE),
      )
    }
  }

  async #act(action: Action): Promise<void> {
    switch (action.what) {
      case 'submit':
        await this.#submit()
        break
      case 'wait':
        this.now += action.ms
        break
      case 'cancel':
        await this.#requestCancel(action.nth)
        break
      default:
        await this.#actOn(action)
    }
  }

  async #actOn({ what, node: index, nth }: OfNode): Promise<void> {
    const node = this.#nodes[index % this.#nodes.length]!
    if (what === 'open') await this.#open(node)
    else if (what === 'end-overdue') await this.#endOverdue()
    else {
      // Also a term that is long over, as a process has it that was stopped.
      const believed = node.terms[nth % Math.max(1, node.terms.length)]
      if (believed) await this.#actIn(believed, what, nth)
    }
  }

  async #actIn(believed: Believed, what: NodeAction, nth: number): Promise<void> {
    const { term, stagings } = believed
    const { nodes, ledger } = this.store()
    if (what === 'renew') await nodes.renewTerm(term, LEASE_MS)
    else if (what === 'close') await this.#ending([term.number], () => nodes.closeTerm(term))
    else if (what === 'admit') await this.#admit(believed)
    else {
      const staging = [...stagings.values()][nth % Math.max(1, stagings.size)]
      if (!staging) return
      if (what === 'read') stagings.set(staging.uuid, await ledger.get(staging.uuid))
      else await this.#go(believed, staging, what)
    }
  }

  async #go(believed: Believed, staging: Staging, what: NodeAction): Promise<void> {
    const { uuid, step, work } = staging
    const launch = openLaunchOf(staging)?.uuid
    const go = (transition: (ledger: NodeLedger) => Promise<unknown>, verdictOf?: string) =>
      this.#transition(believed, staging, what, transition, verdictOf)
    if (what === 'begin') await go((ledger) => ledger.beginLaunch(uuid, { uuid: randomUUID(), stagerFqn: 's', step }))
    else if (what === 'cancel-running') await go((ledger) => ledger.cancel(uuid))
    else if (launch === undefined) return
    else if (what === 'running') await go((ledger) => ledger.launchRunning(launch))
    else if (what === 'advance') await go((ledger) => ledger.advance(launch, work), launch)
    else if (what === 'succeed') await go((ledger) => ledger.succeed(launch, work), launch)
    else if (what === 'relaunch') await go((ledger) => ledger.relaunch(launch, work), launch)
    else if (what === 'fail') await go((ledger) => ledger.fail(uuid, launch, FAILURE), launch)
    else if (what === 'abort') await go((ledger) => ledger.abortLaunch(launch))
  }

  async #transition(
    { term, ledger, stagings }: Believed,
    { uuid }: Staging,
    transition: string,
    make: (ledger: NodeLedger) => Promise<unknown>,
    verdictOf?: string,
  ): Promise<void> {
    await make(ledger)
    const after = await this.store().ledger.get(uuid)
    stagings.set(uuid, after)
    this.events.push({
      ...{ kind: 'recorded', term: term.number, staging: uuid, transition, state: after.state },
      ...(verdictOf === undefined ? {} : { verdictOf }),
    })
  }

  async #submit(): Promise<void> {
    const { packages, ledger } = this.store()
    const { uuid: packageUuid } = await packages.create(packageDraft(randomUUID(), { resource: resource() }))
    const stagers = ['one', 'two'].map((name) => stagerSnapshot(name))
    const { uuid } = await ledger.submit({ packageUuid, pipelineFqn: 'p', stagers })
    this.#submitted.push(uuid)
    this.events.push({ kind: 'submitted', staging: uuid })
  }

  async #requestCancel(nth: number): Promise<void> {
    const staging = this.#submitted[nth % Math.max(1, this.#submitted.length)]
    if (staging === undefined) return
    const { state } = await this.store().ledger.requestCancel(staging)
    if (state === 'cancelled') this.events.push({ kind: 'cancelled', staging })
  }

  async #open(node: { readonly identity: ReturnType<typeof nodeIdentity>; readonly terms: Believed[] }): Promise<void> {
    const earlier = (await this.store().nodes.list()).find(({ uuid }) => uuid === node.identity.uuid)?.term
    const term = await this.store().nodes.openTerm(node.identity, LEASE_MS)
    if (earlier !== undefined) this.events.push({ kind: 'term-ended', term: earlier })
    this.events.push({ kind: 'term-opened', term: term.number })
    node.terms.unshift({ term, ledger: this.ledgerOf(term), stagings: new Map() })
  }

  async #admit({ term, ledger, stagings }: Believed): Promise<Staging | undefined> {
    let staging = await ledger.admitNext()
    if (!staging) return undefined
    this.events.push({ kind: 'admitted', term: term.number, staging: staging.uuid })
    const launch = openLaunchOf(staging)
    if (launch) staging = await ledger.abortLaunch(launch.uuid)
    stagings.set(staging.uuid, staging)
    return staging
  }

  async #endOverdue(): Promise<void> {
    const open = (await this.store().nodes.list()).flatMap(({ term }) => term ?? [])
    await this.#ending(open, () => this.store().nodes.endOverdue())
  }

  async #ending(open: readonly number[], end: () => Promise<unknown>): Promise<void> {
    const before = new Set((await this.store().nodes.list()).flatMap(({ term }) => term ?? []))
    await end()
    const left = new Set((await this.store().nodes.list()).flatMap(({ term }) => term ?? []))
    for (const term of open) if (before.has(term) && !left.has(term)) this.events.push({ kind: 'term-ended', term })
  }
}

const FAILURE = { cause: 'timeout', stager: undefined, message: 'Too slow.', hint: 'Hurry.' } as const
