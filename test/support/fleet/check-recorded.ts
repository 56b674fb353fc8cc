import { isOpen, isTerminal, type StagingState } from '../../../daemon/model/staging.js'
import type { Change, LaunchRow, StagingRow, TermRow } from './recorded-history.js'

/**
 * What must not be in the history of a fleet, in words, whatever its nodes have done to get there:
 *
 * - A staging ends once. A launch ends once, and a staging has one open launch at most.
 * - What a launch has led to is recorded while the term that owns its staging is open. Once that has ended, no verdict is.
 * - A staging that is owned changes its owner only by the end of its owner's term.
 *
 * @param changes in the order of their commits
 */
export function violations(changes: readonly Change[]): readonly string[] {
  const history = new History()
  for (const change of changes)
    switch (change.source) {
      case 'terms':
        history.term(change.before, change.after)
        break
      case 'stagings':
        history.staging(change.before, change.after)
        break
      case 'launches':
        history.launch(change.before, change.after)
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

class History {
  readonly violations: string[] = []
  readonly #ended = new Set<number>()
  readonly #stagings = new Map<number, StagingRow>()
  /** By the sequence of its staging. */
  readonly #open = new Map<number, string>()

  term(before: TermRow | null, after: TermRow): void {
    if (before && before.ended_at !== null) this.#wrong(`term ${after.number} changed after its end`)
    if (after.ended_at !== null) this.#ended.add(after.number)
  }

  staging(before: StagingRow | null, after: StagingRow): void {
    this.#stagings.set(after.sequence, after)
    if (!before) return
    const { uuid } = after
    if (isTerminal(before.state) && after.state !== before.state)
      this.#wrong(`staging ${uuid} was ${before.state}, and then ${after.state}`)
    const goesOn = before.step !== after.step || before.relaunches !== after.relaunches
    if (before.state === 'running' && (goesOn || after.state !== 'running')) this.#assertOwned(before, after)
    if (after.term === before.term) return
    if (after.term !== null && this.#ended.has(after.term))
      this.#wrong(`staging ${uuid} was taken in term ${after.term}, which had ended`)
    if (before.term !== null && !this.#ended.has(before.term))
      this.#wrong(`staging ${uuid} was taken from term ${before.term}, which had not ended`)
  }

  launch(before: LaunchRow | null, after: LaunchRow): void {
    const { uuid, staging, state } = after
    if (before && !isOpen(before.state) && before.state !== state)
      this.#wrong(`launch ${uuid} was ${before.state}, and then ${state}`)
    const open = this.#open.get(staging)
    if (isOpen(state)) {
      if (open !== undefined && open !== uuid) this.#wrong(`launch ${uuid} began while ${open} was open`)
      this.#open.set(staging, uuid)
    } else if (open === uuid) this.#open.delete(staging)
    const owner = this.#stagings.get(staging)
    if (
      before &&
      isOpen(before.state) &&
      ['done', 'failed', 'relaunched'].includes(state) &&
      owner?.state === 'running'
    )
      this.#assertOwned(owner, owner)
  }

  /** A running staging that nobody owns can only be cancelled. */
  #assertOwned({ uuid, term }: StagingRow, { state, step }: StagingRow): void {
    const what = `staging ${uuid} became ${state} at step ${step}`
    if (term === null && state !== 'cancelled') this.#wrong(`${what} without an owner`)
    if (term !== null && this.#ended.has(term)) this.#wrong(`${what} by term ${term}, which had ended`)
  }

  #wrong(what: string): void {
    this.violations.push(what)
  }
}
