import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Term } from '../../../daemon/model/node.js'
import { isLeaseLost } from '../../../daemon/store/lease-lost.js'
import type { NodeLedger } from '../../../daemon/store/node-ledger.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { checkHistory, type FleetEvent } from '../../support/fleet/check-history.js'
import {
  LEASE_MS,
  NODE_ACTIONS,
  SimulatedFleet,
  type Action,
  type LedgerOf,
} from '../../support/fleet/simulated-fleet.js'
import { lawRun } from '../../support/law-run.js'
import { temporaryDirectory } from './temporary-directory.js'

/**
 * LAW: Whatever nodes do that believe in their terms, renew them or do not, stop in between and go on later: each staging has one
 * owner at a time and one end, and what was acknowledged is kept.
 */
const law = lawRun({ runs: 60, msPerRun: 100 })

const ACTION: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ what: 'submit' } as const) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('wait' as const), ms: fc.nat(LEASE_MS + 5_000) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('cancel' as const), nth: fc.nat(5) }) },
  {
    weight: 24,
    arbitrary: fc.record({ what: fc.constantFrom(...NODE_ACTIONS), node: fc.nat(1), nth: fc.nat(5) }),
  },
)

let current: SimulatedFleet | undefined
let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let store: SqliteStore
beforeAll(async () => {
  directory = await temporaryDirectory()
  const now = function* () {
    return new Date(current?.now ?? 0)
  }
  store = SqliteStore.open(join(directory.path, 'stagerd.db'), undefined, undefined, now)
})
afterAll(async () => {
  store.close()
  await directory.remove()
})

async function wrongAfter(actions: readonly Action[], ledgerOf: LedgerOf): Promise<readonly string[]> {
  const fleet = (current = new SimulatedFleet(() => store, ledgerOf))
  for (const node of [0, 1]) await fleet.act({ what: 'open', node, nth: 0 })
  for (const action of actions) await fleet.act(action)
  await fleet.finish()
  const final = await Promise.all(fleet.submitted.map((uuid) => store.ledger.get(uuid)))
  return checkHistory(fleet.events, final)
}

/** Without the check of the term: what is refused for it is done all the same, as whoever owns the staging. */
function unfenced(term: Term): NodeLedger {
  const ledger = store.nodeLedger(term)
  return new Proxy(ledger, {
    get: (target, key) => {
      const method: unknown = Reflect.get(target, key)
      if (typeof method !== 'function') return method
      return async (...values: unknown[]) => {
        try {
          return (await Reflect.apply(method, target, values)) as unknown
        } catch (error) {
          if (!isLeaseLost(error)) throw error
          for (const { term: number } of await store.nodes.list()) {
            if (number === undefined) continue
            const other = store.nodeLedger({ ...term, number })
            const done = await (
              Reflect.apply(Reflect.get(other, key) as typeof method, other, values) as Promise<unknown>
            )
              .then((value) => ({ value }))
              .catch(() => undefined)
            if (done) return done.value
          }
          throw error
        }
      }
    },
  })
}

it(
  'a fleet has one owner and one end for each staging, and keeps what it has acknowledged',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(ACTION, { minLength: 20, maxLength: 120 }), async (actions) => {
        expect(await wrongAfter(actions, (term) => store.nodeLedger(term))).toEqual([])
      }),
      law.parameters,
    )
  },
  law.timeout,
)

it('a ledger that does not look at the term is found out', async () => {
  const found = await fc.check(
    fc.asyncProperty(
      fc.array(ACTION, { minLength: 20, maxLength: 120 }),
      async (actions) => (await wrongAfter(actions, unfenced)).length === 0,
    ),
    { numRuns: 60, seed: 1, endOnFailure: true },
  )
  expect(found.failed).toBe(true)
})

describe('the checker of histories says', () => {
  const [S, L] = ['s', 'l']
  const begun: readonly FleetEvent[] = [
    { kind: 'submitted', staging: S },
    { kind: 'term-opened', term: 1 },
    { kind: 'term-opened', term: 2 },
    { kind: 'admitted', term: 1, staging: S },
  ]
  const succeeded = (term: number): FleetEvent => ({
    ...{ kind: 'recorded', term, staging: S, transition: 'succeed', state: 'succeeded', verdictOf: L },
  })
  const done = { uuid: S, state: 'succeeded', launches: [{ uuid: L, state: 'done' }] } as const

  it('nothing of a history that is as it should be, also of a staging that was taken over', () => {
    expect(checkHistory([...begun, succeeded(1)], [done])).toEqual([])
    const taken: readonly FleetEvent[] = [
      { kind: 'term-ended', term: 1 },
      { kind: 'admitted', term: 2, staging: S },
    ]
    expect(checkHistory([...begun, ...taken, succeeded(2)], [done])).toEqual([])
  })

  it.each<[string, readonly FleetEvent[], Parameters<typeof checkHistory>[1]]>([
    ['two owners', [{ kind: 'admitted', term: 2, staging: S }, succeeded(2)], [done]],
    ['no lease', [{ kind: 'term-ended', term: 1 }, succeeded(1)], [done]],
    ['no owner', [succeeded(2)], [done]],
    ['two terminal states', [succeeded(1), { kind: 'cancelled', staging: S }], [{ ...done, state: 'cancelled' }]],
    ['lost', [succeeded(1)], []],
    ['lost', [succeeded(1)], [{ ...done, state: 'failed' }]],
    ['lost', [succeeded(1)], [{ ...done, launches: [{ uuid: L, state: 'aborted' }] }]],
    ['not ended', [], [{ ...done, state: 'running' }]],
  ])('%s', (what, events, final) => {
    expect(checkHistory([...begun, ...events], final).some((one) => one.startsWith(what))).toBe(true)
  })
})
