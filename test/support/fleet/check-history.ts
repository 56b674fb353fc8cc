import { isTerminal, type StagingState } from '../../../daemon/model/staging.js'

/** What was acknowledged to whom, in the order in which it was committed. */
export type FleetEvent =
  | { readonly kind: 'submitted'; readonly staging: string }
  | { readonly kind: 'term-opened' | 'term-ended'; readonly term: number }
  | { readonly kind: 'admitted'; readonly term: number; readonly staging: string }
  | {
      readonly kind: 'recorded'
      readonly term: number
      readonly staging: string
      readonly transition: string
      /** Of the staging after it, where that was answered. */
      readonly state?: StagingState
      /** The launch that this verdict has ended. */
      readonly verdictOf?: string
    }
  | { readonly kind: 'cancelled'; readonly staging: string }

/** What the database has at the end. */
export interface FinalStaging {
  readonly uuid: string
  readonly state: StagingState
  readonly launches: readonly { readonly uuid: string; readonly state: string }[]
}

/**
 * What is wrong with a history of a fleet, one sentence each; nothing if it is one that the terms promise:
 *
 * 1. A staging has one owner at a time: a term that is open.
 * 2. Nothing is recorded by a term that has ended, or that does not own the staging.
 * 3. A staging has one terminal state.
 * 4. What was acknowledged is there at the end, and every staging has ended.
 */
export function checkHistory(events: readonly FleetEvent[], final: readonly FinalStaging[]): readonly string[] {
  const wrong: string[] = []
  const open = new Set<number>()
  const owners = new Map<string, number>()
  const ended = new Map<string, string>()
  const verdicts: { readonly staging: string; readonly launch: string }[] = []
  const submitted = new Set<string>()
  const end = (staging: string, how: string) => {
    const before = ended.get(staging)
    if (before !== undefined) wrong.push(`two terminal states: ${staging} was ${before}, and then ${how}`)
    ended.set(staging, how)
    owners.delete(staging)
  }
  for (const event of events)
    switch (event.kind) {
      case 'submitted':
        submitted.add(event.staging)
        break
      case 'term-opened':
        open.add(event.term)
        break
      case 'term-ended':
        open.delete(event.term)
        break
      case 'admitted': {
        const owner = owners.get(event.staging)
        if (owner !== undefined && open.has(owner))
          wrong.push(`two owners: ${event.staging} of term ${owner} was given to term ${event.term}`)
        if (!open.has(event.term)) wrong.push(`no lease: term ${event.term} was given ${event.staging}`)
        if (ended.has(event.staging)) wrong.push(`two terminal states: ${event.staging} had ended, and was given out`)
        owners.set(event.staging, event.term)
        break
      }
      case 'recorded': {
        const { staging, term, transition, state, verdictOf } = event
        if (!open.has(term)) wrong.push(`no lease: ${transition} of ${staging} by term ${term}, which had ended`)
        else if (!ended.has(staging) && owners.get(staging) !== term)
          wrong.push(`no owner: ${transition} of ${staging} by term ${term}, which did not own it`)
        if (verdictOf !== undefined) verdicts.push({ staging, launch: verdictOf })
        if (state !== undefined && isTerminal(state)) end(staging, state)
        break
      }
      case 'cancelled':
        end(event.staging, 'cancelled')
        break
    }
  return [...wrong, ...lost({ submitted, ended, verdicts }, final)]
}

function lost(
  told: {
    readonly submitted: ReadonlySet<string>
    readonly ended: ReadonlyMap<string, string>
    readonly verdicts: readonly { readonly staging: string; readonly launch: string }[]
  },
  final: readonly FinalStaging[],
): readonly string[] {
  const wrong: string[] = []
  const byUuid = new Map(final.map((one) => [one.uuid, one]))
  for (const staging of told.submitted) {
    const found = byUuid.get(staging)
    if (!found) wrong.push(`lost: ${staging} was acknowledged`)
    else if (!isTerminal(found.state)) wrong.push(`not ended: ${staging} is ${found.state}`)
  }
  for (const [staging, how] of told.ended)
    if (byUuid.get(staging)?.state !== how)
      wrong.push(`lost: ${staging} was ${how}, and is ${byUuid.get(staging)?.state ?? 'not there'}`)
  for (const { staging, launch } of told.verdicts) {
    const state = byUuid.get(staging)?.launches.find(({ uuid }) => uuid === launch)?.state
    if (state === undefined || state === 'aborted' || state === 'starting' || state === 'running')
      wrong.push(
        `lost: the verdict of launch ${launch} of ${staging} was acknowledged, and it is ${state ?? 'not there'}`,
      )
  }
  return wrong
}
