import { isOpen, isTerminal, type StagingState } from '../../../daemon/model/staging.js'
import type { Change, LaunchRow, StagingRow, TermRow, Written } from './recorded-history.js'

/**
 * What must not be in the history of a fleet, in words, whatever its nodes have done to get there:
 *
 * - A staging ends once. A launch ends once, and a staging has one open launch at most.
 * - A launch begins, and what it has led to is recorded, while the term that owns its staging is open, and by the node of that term. Once it
 *   has ended, no verdict is.
 * - A staging that is owned changes its owner only by the end of its owner's term.
 *
 * @param changes in the order of their commits
 */
export function violations(changes: readonly Change[]): readonly string[] {
  const history = new History()
  for (const change of changes)
    switch (change.source) {
      case 'terms':
        history.term(change)
        break
      case 'stagings':
        history.staging(change)
        break
      case 'launches':
        history.launch(change)
        break
    }
  return history.violations
}

/** How each staging has ended, by its UUID; undefined for one that has not. */
export function endings(changes: readonly Change[]): ReadonlyMap<string, StagingState | undefined> {
  const states = new Map<string, StagingState | undefined>()
  for (const { source, after } of changes)
    if (source === 'stagings') states.set(after.uuid, isTerminal(after.state) ? after.state : undefined)
  return states
}

/** UUIDs of the stagings that more than one term has owned. */
export function takenOver(changes: readonly Change[]): ReadonlySet<string> {
  const owners = new Map<string, number>()
  const taken = new Set<string>()
  for (const { source, after } of changes) {
    if (source !== 'stagings' || after.term === null) continue
    if ((owners.get(after.uuid) ?? after.term) !== after.term) taken.add(after.uuid)
    owners.set(after.uuid, after.term)
  }
  return taken
}

/** How many terms were ended by another node than their own: that node had lost its lease. */
export function termsLost(changes: readonly Change[]): number {
  const nodes = new Map<number, string>()
  let lost = 0
  for (const { source, writer, before, after } of changes) {
    if (source !== 'terms') continue
    if (before === null) nodes.set(after.number, writer)
    else if (before.ended_at === null && after.ended_at !== null && nodes.get(after.number) !== writer) lost += 1
  }
  return lost
}

class History {
  readonly violations: string[] = []
  /** The node of each term. */
  readonly #nodes = new Map<number, string>()
  readonly #ended = new Set<number>()
  readonly #stagings = new Map<number, StagingRow>()
  /** By the sequence of its staging. */
  readonly #open = new Map<number, string>()

  term({ writer, before, after }: Written<TermRow>): void {
    if (!before) this.#nodes.set(after.number, writer)
    if (before && before.ended_at !== null) this.#wrong(`term ${after.number} changed after its end`)
    if (after.ended_at !== null) this.#ended.add(after.number)
  }

  staging({ writer, before, after }: Written<StagingRow>): void {
    this.#stagings.set(after.sequence, after)
    if (!before) return
    const { uuid } = after
    if (isTerminal(before.state) && after.state !== before.state)
      this.#wrong(`staging ${uuid} was ${before.state}, and then ${after.state}`)
    const goesOn = before.step !== after.step || before.relaunches !== after.relaunches
    if (before.state === 'running' && (goesOn || after.state !== 'running')) this.#assertOwned(writer, before, after)
    if (after.term === before.term) return
    if (after.term !== null && this.#ended.has(after.term))
      this.#wrong(`staging ${uuid} was taken in term ${after.term}, which had ended`)
    if (before.term !== null && !this.#ended.has(before.term))
      this.#wrong(`staging ${uuid} was taken from term ${before.term}, which had not ended`)
  }

  launch({ writer, before, after }: Written<LaunchRow>): void {
    const { uuid, staging, state } = after
    if (before && !isOpen(before.state) && before.state !== state)
      this.#wrong(`launch ${uuid} was ${before.state}, and then ${state}`)
    const open = this.#open.get(staging)
    if (isOpen(state)) {
      if (open !== undefined && open !== uuid) this.#wrong(`launch ${uuid} began while ${open} was open`)
      this.#open.set(staging, uuid)
    } else if (open === uuid) this.#open.delete(staging)
    const owner = this.#stagings.get(staging)
    const hasVerdict = before && isOpen(before.state) && ['done', 'failed', 'relaunched'].includes(state)
    if ((!before || hasVerdict) && owner?.state === 'running') this.#assertOwned(writer, owner, owner)
  }

  /** A running staging that nobody owns can only be cancelled. */
  #assertOwned(writer: string, { uuid, term }: StagingRow, { state, step }: StagingRow): void {
    const what = `staging ${uuid} became ${state} at step ${step}`
    const owner = term === null ? writer : this.#nodes.get(term)
    if (owner !== writer) this.#wrong(`${what} by ${writer}, and is owned by ${owner}`)
    if (term === null && state !== 'cancelled') this.#wrong(`${what} without an owner`)
    if (term !== null && this.#ended.has(term)) this.#wrong(`${what} by term ${term}, which had ended`)
  }

  #wrong(what: string): void {
    this.violations.push(what)
  }
}
