import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { NodeState, Term } from '../../../daemon/model/node.js'
import type { WaitReason } from '../../../daemon/model/waiting.js'
import { describeWaiting } from '../../../daemon/staging/describe-waiting.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { packageDraft, resource, stagerSnapshot } from '../../contract/samples.js'
import { nodeIdentity } from '../../support/fleet/node-ledger.js'
import { lawRun } from '../../support/law-run.js'
import { temporaryDirectory } from './temporary-directory.js'

/**
 * LAW: What is said to wait for nothing, an admission takes; and what an admission takes was said to wait for nothing.
 */
const law = lawRun({ runs: 40, msPerRun: 200 })

const LEASE_MS = 60_000
const FAILURE = { cause: 'timeout', stager: undefined, message: 'Too slow.', hint: 'Hurry.' } as const
const NAMESPACES = ['/a', '/a/b', '/c'] as const

let directory: Awaited<ReturnType<typeof temporaryDirectory>>
let store: SqliteStore
let count = 0
beforeAll(async () => {
  directory = await temporaryDirectory()
})
afterAll(() => directory.remove())

async function inStore(work: () => Promise<void>): Promise<void> {
  store = SqliteStore.open(join(directory.path, `${(count += 1)}.db`))
  try {
    await work()
  } finally {
    store.close()
  }
}

interface Node {
  readonly labels: readonly string[]
  readonly state: NodeState
  readonly concurrency: number
}

interface Submission {
  readonly namespace: string
  readonly labels: readonly string[]
  readonly awaitsSource: boolean
}

async function submit({ namespace, labels, awaitsSource }: Submission): Promise<string> {
  const draft = packageDraft(randomUUID(), { namespace, resource: resource() })
  const { uuid: packageUuid } = await store.packages.create(draft)
  const stagers = [{ ...stagerSnapshot('s'), labels }]
  return (await store.ledger.submit({ packageUuid, pipelineFqn: 'p', stagers, awaitsSource })).uuid
}

const open = (node: Node) => store.nodes.openTerm({ ...nodeIdentity(), ...node }, LEASE_MS)

const limit = (realm: string, most: number) =>
  store.policies.put({
    namespace: '/',
    name: `limit${realm.replaceAll('/', '-')}`,
    text: `on quota::${realm} { running.stagings ${most} }`,
  })

/** Whom a node would take, and takes: it is asked only where it has a place. */
async function admit(term: Term): Promise<string | undefined> {
  const { state, running, concurrency } = await store.nodes.get(term.node)
  if (state === 'draining' || running >= concurrency) return undefined
  return (await store.nodeLedger(term).admitNext())?.uuid
}

async function reasonsOf(uuid: string): Promise<readonly WaitReason[]> {
  return (await store.ledger.waiting(uuid))?.reasons ?? []
}

async function queued(): Promise<readonly string[]> {
  return (await store.ledger.list({ state: 'queued' })).map(({ uuid }) => uuid)
}

const LABELS = fc.subarray(['gpu', 'arm'])
const NODE: fc.Arbitrary<Node> = fc.record({
  labels: LABELS,
  state: fc.constantFrom<NodeState>('active', 'active', 'draining'),
  concurrency: fc.integer({ min: 1, max: 3 }),
})
const SUBMISSION: fc.Arbitrary<Submission> = fc.record({
  namespace: fc.constantFrom(...NAMESPACES),
  labels: LABELS,
  awaitsSource: fc.constantFrom(false, false, false, true),
})
const STEP = fc.oneof(
  fc.record({ what: fc.constant('submit' as const), submission: SUBMISSION }),
  fc.record({ what: fc.constant('admit' as const), nth: fc.nat(3) }),
  fc.record({ what: fc.constant('end' as const), nth: fc.nat(3) }),
  fc.record({ what: fc.constant('limit' as const), realm: fc.constantFrom('/', ...NAMESPACES), most: fc.nat(4) }),
  fc.record({ what: fc.constant('close' as const), nth: fc.nat(3) }),
)

it(
  'a staging waits for nothing exactly if a node that looks now takes it',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(NODE, { minLength: 1, maxLength: 3 }),
        fc.array(STEP, { minLength: 5, maxLength: 30 }),
        async (nodes, steps) => {
          await inStore(async () => {
            let terms: Term[] = []
            for (const node of nodes) terms.push(await open(node))
            for (const step of steps) {
              const nth = 'nth' in step ? terms[step.nth % Math.max(terms.length, 1)] : undefined
              if (step.what === 'submit') await submit(step.submission)
              if (step.what === 'limit') await limit(step.realm, step.most)
              if (step.what === 'close' && nth) {
                await store.nodes.closeTerm(nth)
                terms = terms.filter((one) => one !== nth)
              }
              if (step.what === 'admit' && nth) await admit(nth)
              if (step.what === 'end' && nth) {
                const running = (await store.ledger.list({ state: 'running' })).find(({ term }) => term === nth.number)
                if (running) await store.nodeLedger(nth).fail(running.uuid, undefined, FAILURE)
              }
            }
            await compare(terms)
          })
        },
      ),
      law.parameters,
    )
  },
  law.timeout,
)

/** As long as nodes take something: what each takes next is compared with what was said before. */
async function compare(terms: readonly Term[]): Promise<void> {
  for (let round = 0; ; round++) {
    const waiting = await queued()
    const next: string[] = []
    for (const uuid of waiting) if ((await reasonsOf(uuid)).length === 0) next.push(uuid)
    let taken: string | undefined
    for (let turn = 0; turn < terms.length && taken === undefined; turn++)
      taken = await admit(terms[(round + turn) % terms.length]!)
    // What was interrupted is not queued.
    const begun = taken !== undefined && waiting.includes(taken) ? [taken] : []
    if (terms.length === 1) expect(next, 'the only node takes it, and no other').toEqual(begun)
    expect(next, 'it was said to wait').toEqual(expect.arrayContaining(begun))
    if (taken === undefined) {
      expect(next, 'it was said to be next, and no node takes it').toEqual([])
      return
    }
  }
}

describe('why a staging waits', () => {
  const at = { namespace: '/a', labels: [], awaitsSource: false }
  const node: Node = { labels: [], state: 'active', concurrency: 1 }
  const said = async (uuid: string) => (await reasonsOf(uuid)).map(describeWaiting)

  it.each<[string, readonly Node[], Partial<Submission>, RegExp]>([
    ['its source is fetched', [node], { awaitsSource: true }, /^Its source is not there yet/],
    ['no node works', [], {}, /^No node works/],
    [
      'no node has the labels',
      [{ ...node, labels: ['arm'] }],
      { labels: ['gpu'] },
      /labels "gpu": there are node \(arm\)/,
    ],
    ['the nodes are drained', [{ ...node, state: 'draining' }], {}, /is drained: node/],
    ['the nodes are full', [{ ...node, concurrency: 0 }], {}, /no free place: node runs 0 of 0/],
  ])('is said: %s', async (_what, nodes, changes, says) => {
    await inStore(async () => {
      for (const one of nodes) await open(one)
      expect(await said(await submit({ ...at, ...changes }))).toEqual([expect.stringMatching(says)])
    })
  })

  it('is said: what was interrupted comes first', async () => {
    await inStore(async () => {
      const [one, two] = [await open(node), await open({ ...node, concurrency: 2 })]
      const interrupted = await submit(at)
      expect(await admit(one)).toBe(interrupted)
      const later = await submit(at)
      expect(await reasonsOf(later)).toEqual([])
      await store.nodes.closeTerm(one)
      expect(await store.ledger.waiting(later)).toEqual({ before: 1, reasons: [{ kind: 'others' }] })
      expect(await admit(two)).toBe(interrupted)
      expect(await reasonsOf(later)).toEqual([])
    })
  })

  it('goes by what the node that answers runs at once now, and not when its term began', async () => {
    await inStore(async () => {
      const { node: uuid } = await open({ ...node, concurrency: 0 })
      const staging = await submit(at)
      expect(await reasonsOf(staging)).toMatchObject([{ kind: 'full' }])
      expect((await store.ledger.waiting(staging, { uuid, concurrency: 1 }))?.reasons).toEqual([])
    })
  })

  it('is said: limits of namespaces, those before it, and nothing', async () => {
    await inStore(async () => {
      await limit('/a', 1)
      const term = await open({ ...node, concurrency: 2 })
      const [first, second, other, last] = [
        await submit(at),
        await submit({ ...at, namespace: '/a/b' }),
        await submit({ ...at, namespace: '/c' }),
        await submit({ ...at, namespace: '/c' }),
      ]
      expect(await store.ledger.waiting(first)).toEqual({ before: 0, reasons: [] })
      expect(await store.ledger.waiting(last)).toEqual({ before: 3, reasons: [{ kind: 'others' }] })
      expect(await admit(term)).toBe(first)
      expect(await store.ledger.waiting(first)).toBeUndefined()
      expect(await said(second)).toEqual(['A policy allows 1 at once in /a, and as many run.'])
      expect(await store.ledger.waiting(other)).toEqual({ before: 0, reasons: [] })
      expect(await store.ledger.waiting(last)).toMatchObject({ before: 1 })
    })
  })
})
