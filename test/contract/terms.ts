import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Term } from '../../daemon/model/node.js'
import type { Staging } from '../../daemon/model/staging.js'
import type { NodeLedger } from '../../daemon/store/node-ledger.js'
import type { SqlStore, StoreOptions } from '../../daemon/store/sql/store.js'
import type { StagingLedger } from '../../daemon/store/staging-ledger.js'
import { nodeIdentity } from '../support/fleet/node-ledger.js'
import { packageDraft, resource, stagerSnapshot } from './samples.js'

type Store = Pick<SqlStore, 'packages' | 'ledger' | 'nodes' | 'nodeLedger'>
type Transition = Exclude<keyof NodeLedger, keyof StagingLedger>

const LEASE_MS = 30_000
const FAILURE = { cause: 'timeout', stager: undefined, message: 'Too slow.', hint: 'Hurry.' } as const

interface Owned {
  readonly staging: Staging
  readonly launch: string
}

/**
 * Every transition of a node, from a state in which it is possible. What is not in this table does not compile.
 */
const TRANSITIONS: Readonly<
  Record<
    Transition,
    { readonly from: 'queued' | 'admitted' | 'launched'; readonly make: (l: NodeLedger, o: Owned) => Promise<unknown> }
  >
> = {
  admitNext: { from: 'queued', make: (ledger) => ledger.admitNext() },
  beginLaunch: {
    from: 'admitted',
    make: (ledger, { staging }) => ledger.beginLaunch(staging.uuid, { uuid: randomUUID(), stagerFqn: 's', step: 0 }),
  },
  launchRunning: { from: 'launched', make: (ledger, { launch }) => ledger.launchRunning(launch) },
  advance: { from: 'launched', make: (ledger, { launch, staging }) => ledger.advance(launch, staging.work) },
  succeed: { from: 'launched', make: (ledger, { launch, staging }) => ledger.succeed(launch, staging.work) },
  answer: { from: 'admitted', make: (ledger, { staging }) => ledger.answer(staging.uuid, 1) },
  takeOver: {
    from: 'admitted',
    make: (ledger, { staging }) =>
      ledger.takeOver(staging.uuid, {
        staging: randomUUID(),
        launches: [{ step: 0, verdict: 'done', given: 'g', work: staging.work }],
      }),
  },
  relaunch: { from: 'launched', make: (ledger, { launch, staging }) => ledger.relaunch(launch, staging.work) },
  fail: { from: 'launched', make: (ledger, { launch, staging }) => ledger.fail(staging.uuid, launch, FAILURE) },
  replaceHint: { from: 'launched', make: (ledger, { staging }) => ledger.replaceHint(staging.uuid, 'Wait.') },
  abortLaunch: { from: 'launched', make: (ledger, { launch }) => ledger.abortLaunch(launch) },
  takeUpAgain: { from: 'launched', make: (ledger, { staging }) => ledger.takeUpAgain(staging.uuid) },
  recordExit: { from: 'launched', make: (ledger, { launch }) => ledger.recordExit(launch, 0) },
  cancel: { from: 'launched', make: (ledger, { staging }) => ledger.cancel(staging.uuid) },
}

/** The contract of daemon/store/node-repository.ts, and of who owns a staging, for every implementation. */
export function describeTerms(
  name: string,
  make: (options: StoreOptions) => Promise<{ readonly store: Store; readonly close: () => Promise<void> }>,
): void {
  describe(name, () => {
    let now = 0
    let { store, close } = {} as Awaited<ReturnType<typeof make>>
    beforeEach(async () => {
      now = Date.parse('2026-01-01T00:00:00Z')
      const clock = function* () {
        return new Date(now)
      }
      ;({ store, close } = await make({ now: clock }))
    })
    afterEach(() => close())

    const submit = async (labels: readonly string[] = []) => {
      const { uuid: packageUuid } = await store.packages.create(packageDraft(randomUUID(), { resource: resource() }))
      const stagers = ['one', 'two'].map((name) => ({ ...stagerSnapshot(name), labels }))
      return await store.ledger.submit({ packageUuid, pipelineFqn: 'p', stagers })
    }
    const open = async (node = nodeIdentity()) => {
      const term = await store.nodes.openTerm(node, LEASE_MS)
      return { node, term, ledger: store.nodeLedger(term) }
    }
    const lost = (work: Promise<unknown>) => expect(work).rejects.toMatchObject({ code: 'lease-lost' })
    const isOpen = async ({ node }: Term) => (await store.nodes.get(node)).term

    it('numbers terms upwards, over all nodes, and never gives a number again', async () => {
      const numbers: number[] = []
      const [one, two] = [nodeIdentity(), nodeIdentity()]
      for (const node of [one, two, one]) numbers.push((await open(node)).term.number)
      for (const { uuid } of [one, two]) {
        const { term } = await store.nodes.get(uuid)
        await store.nodes.closeTerm({ number: term!, node: uuid, labels: [] })
        await store.nodes.remove(uuid)
      }
      numbers.push((await open(one)).term.number)
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
      expect(new Set(numbers).size).toBe(4)
    })

    it('knows what a node says of itself, and when it was seen', async () => {
      const node = nodeIdentity({
        ...{ name: 'one', labels: ['gpu', 'ü'], address: 'one:7300', nodeAddress: '[fd00::1]:7301' },
      })
      const { term } = await open(node)
      const began = new Date(now).toISOString()
      now += 5_000
      await store.nodes.renewTerm(term, LEASE_MS)
      const known = { ...node, state: 'active', term: term.number, running: 0 }
      const seen = { firstSeenAt: began, lastSeenAt: new Date(now).toISOString() }
      expect(await store.nodes.list()).toEqual([{ ...known, ...seen }])
      await submit()
      await store.nodeLedger(term).admitNext()
      expect(await store.nodes.get('one')).toMatchObject({ running: 1 })
      await open({ ...node, name: 'other', labels: [], nodeAddress: undefined })
      const changed = { name: 'other', labels: [], nodeAddress: undefined, firstSeenAt: began, running: 0 }
      expect(await store.nodes.list()).toMatchObject([changed])
    })

    it('finds nodes by UUID and name, and refuses a name that several have', async () => {
      const [one, two] = [nodeIdentity({ name: 'same' }), nodeIdentity({ name: 'same' })]
      for (const node of [one, two]) await open(node)
      expect((await store.nodes.get(two.uuid)).uuid).toBe(two.uuid)
      await expect(store.nodes.get('same')).rejects.toMatchObject({ code: 'node-ambiguous' })
      await expect(store.nodes.get('none')).rejects.toMatchObject({ code: 'node-not-found' })
    })

    it('is drained by anybody, and tells the node when it renews its term', async () => {
      const { node, term } = await open()
      expect(await store.nodes.setState(node.uuid, 'draining')).toMatchObject({ state: 'draining' })
      expect((await store.nodes.renewTerm(term, LEASE_MS)).state).toBe('draining')
      await store.nodes.setState(node.uuid, 'active')
      expect((await store.nodes.renewTerm(term, LEASE_MS)).state).toBe('active')
    })

    it('forgets a node that has no open term, and no other', async () => {
      const { node, term } = await open()
      await expect(store.nodes.remove(node.uuid)).rejects.toMatchObject({ code: 'node-alive' })
      await store.nodes.closeTerm(term)
      await store.nodes.closeTerm(term)
      await store.nodes.remove(node.uuid)
      expect(await store.nodes.list()).toEqual([])
      await expect(store.nodes.remove(node.uuid)).rejects.toMatchObject({ code: 'node-not-found' })
      await lost(store.nodes.renewTerm(term, LEASE_MS))
    })

    it('ends terms whose lease is over, by the clock of the database, and no other', async () => {
      const { term } = await open()
      now += LEASE_MS
      expect(await store.nodes.endOverdue()).toBe(0)
      expect(await isOpen(term), 'not before it is over').toBe(term.number)
      await store.nodes.renewTerm(term, LEASE_MS)
      now += LEASE_MS + 1
      await store.nodes.renewTerm(term, LEASE_MS)
      expect(await store.nodes.endOverdue()).toBe(0)
      expect(await isOpen(term), 'it was over, but nobody had ended it').toBe(term.number)
      await submit()
      await store.nodeLedger(term).admitNext()
      now += LEASE_MS + 1
      expect(await store.nodes.endOverdue()).toBe(1)
      expect(await isOpen(term)).toBeUndefined()
      await lost(store.nodes.renewTerm(term, LEASE_MS))
    })

    it('is not taken back from a process with the same id, as long as that one renews its term', async () => {
      const { node, term: own } = await open()
      const other = await open(node)
      const again = () => store.nodes.openTerm({ ...node, after: own.number }, LEASE_MS)
      await expect(again()).rejects.toMatchObject({ code: 'node-id-in-use' })
      now += LEASE_MS
      await expect(again()).rejects.toMatchObject({ code: 'node-id-in-use' })
      expect(await isOpen(other.term)).toBe(other.term.number)
      now += 1
      expect((await again()).number).toBeGreaterThan(other.term.number)
    })

    it('begins again in the state that somebody has given its node meanwhile', async () => {
      const { node, term } = await open()
      now += LEASE_MS + 1
      await store.nodes.setState(node.uuid, 'draining')
      await store.nodes.openTerm({ ...node, after: term.number }, LEASE_MS)
      expect((await store.nodes.get(node.uuid)).state).toBe('draining')
    })

    it('begins again after the one before has ended, whoever has ended it', async () => {
      const { node, term } = await open()
      const other = await open()
      now += LEASE_MS + 1
      await store.nodes.renewTerm(other.term, LEASE_MS)
      await store.nodes.endOverdue()
      const second = await store.nodes.openTerm({ ...node, after: term.number }, LEASE_MS)
      const third = await store.nodes.openTerm({ ...node, after: second.number }, LEASE_MS)
      expect(third.number, 'its own is no other').toBeGreaterThan(second.number)
    })

    it('never ends one without a lease, unless its node begins another one', async () => {
      const [other, node] = [await open(), nodeIdentity()]
      const { number } = await store.nodes.openTerm(node)
      expect(await isOpen(other.term), 'it has the database to itself').toBeUndefined()
      now += 1e12
      expect(await store.nodes.endOverdue()).toBe(0)
      expect((await store.nodes.get(node.uuid)).term).toBe(number)
      expect(await store.nodes.openTerm(node)).not.toMatchObject({ number })
    })

    describe.each(Object.entries(TRANSITIONS))('%s', (_name, { from, make: transition }) => {
      const prepare = async (ledger: NodeLedger): Promise<Owned> => {
        let staging = await submit()
        const launch = randomUUID()
        if (from !== 'queued') staging = (await ledger.admitNext())!
        if (from === 'launched') await ledger.beginLaunch(staging.uuid, { uuid: launch, stagerFqn: 's', step: 0 })
        return { staging, launch }
      }

      it.each([
        [
          'its node begins another one',
          async (owner: Term) => void (await open({ ...nodeIdentity(), uuid: owner.node })),
        ],
        ['it is closed', (owner: Term) => store.nodes.closeTerm(owner)],
        [
          'its lease is over',
          async () => {
            now += LEASE_MS + 1
            await store.nodes.endOverdue()
          },
        ],
      ])('is refused in a term that has ended because %s', async (_why, end) => {
        const { term, ledger } = await open()
        const owned = await prepare(ledger)
        await end(term)
        const before = await store.ledger.get(owned.staging.uuid)
        await lost(transition(ledger, owned))
        expect(await store.ledger.get(owned.staging.uuid)).toEqual(before)
      })

      it('is refused for a staging of another term', async () => {
        if (from === 'queued') return
        const first = await open()
        const owned = await prepare(first.ledger)
        await store.nodes.closeTerm(first.term)
        const { ledger } = await open()
        await ledger.admitNext()
        const third = await open()
        const before = await store.ledger.get(owned.staging.uuid)
        await lost(transition(third.ledger, owned))
        expect(await store.ledger.get(owned.staging.uuid)).toEqual(before)
      })
    })

    it('gives what a term has run to the next one, oldest first, before what is queued', async () => {
      const first = await open()
      const running = [await submit(), await submit()]
      await first.ledger.admitNext()
      await first.ledger.admitNext()
      const launch = randomUUID()
      await first.ledger.beginLaunch(running[0]!.uuid, { uuid: launch, stagerFqn: 's', step: 0 })
      const queued = await submit()
      await store.nodes.closeTerm(first.term)
      expect(await store.ledger.list({ state: 'running' })).toMatchObject([{}, {}])
      const second = await open()
      expect(second.term.interrupted).toBe(2)
      const admitted = [1, 2, 3, 4].map(() => undefined as Staging | undefined)
      for (const place of admitted.keys()) admitted[place] = await second.ledger.admitNext()
      const expected = [...running, queued].map(({ uuid }) => uuid)
      expect(admitted.map((one) => one?.uuid)).toEqual([...expected, undefined])
      expect(admitted.slice(0, 3).map((one) => one?.term)).toEqual(Array(3).fill(second.term.number))
      expect(admitted[0]).toMatchObject({ launches: [{ uuid: launch, state: 'starting' }] })
      expect(admitted[0]?.startedAt).toBeDefined()
      expect(await second.ledger.abortLaunch(launch)).toMatchObject({ interruptions: 1, step: 0 })
    })

    it('counts an interruption of what a term has run when that ends, unless its node has closed it', async () => {
      const { uuid } = await submit()
      const interruptions = async () => (await store.ledger.get(uuid)).interruptions
      const first = await open()
      await first.ledger.admitNext()
      await store.nodes.closeTerm(first.term)
      expect(await interruptions()).toBe(0)
      const second = await open()
      await second.ledger.admitNext()
      const third = await open(second.node)
      expect(await interruptions(), 'its node has begun another one').toBe(1)
      await third.ledger.admitNext()
      now += LEASE_MS + 1
      await store.nodes.endOverdue()
      expect(await interruptions(), 'its lease was over').toBe(2)
      const { ledger } = await open()
      const { work } = (await ledger.admitNext())!
      const launch = randomUUID()
      await ledger.beginLaunch(uuid, { uuid: launch, stagerFqn: 's', step: 0 })
      expect(await ledger.advance(launch, work)).toMatchObject({ interruptions: 0 })
    })

    it('gives each who takes a staging up, also again, a higher number for its log', async () => {
      const { uuid, logWriter } = await submit()
      const numbers = [logWriter]
      const first = await open()
      numbers.push((await first.ledger.admitNext())!.logWriter)
      const second = await open(first.node)
      numbers.push((await second.ledger.admitNext())!.logWriter)
      await second.ledger.beginLaunch(uuid, { uuid: randomUUID(), stagerFqn: 's', step: 0 })
      const again = await second.ledger.takeUpAgain(uuid)
      expect(again).toMatchObject({ state: 'running', interruptions: 1, launches: [{ state: 'aborted' }] })
      numbers.push(again.logWriter, (await second.ledger.takeUpAgain(uuid)).logWriter)
      expect(numbers).toEqual([0, 1, 2, 3, 4])
      const ended = await second.ledger.fail(uuid, undefined, FAILURE)
      expect(await second.ledger.takeUpAgain(uuid), 'it stays as it is').toEqual(ended)
    })

    it('gives a staging to a node that has all labels of its stagers, and keeps the order of the others', async () => {
      const [gpu, plain, both] = [await submit(['gpu']), await submit(), await submit(['gpu', 'arm'])]
      const any = await open(nodeIdentity({ labels: ['arm'] }))
      expect((await any.ledger.admitNext())?.uuid).toBe(plain.uuid)
      expect(await any.ledger.admitNext()).toBeUndefined()
      const special = await open(nodeIdentity({ labels: ['arm', 'gpu', "o'"] }))
      const rest = [await special.ledger.admitNext(), await special.ledger.admitNext()]
      expect(rest.map((one) => one?.uuid)).toEqual([gpu.uuid, both.uuid])
    })

    it('cancels at once what no term owns, and tells the owner of the rest', async () => {
      const { term, ledger } = await open()
      const [owned, given] = [await submit(), await submit()]
      await ledger.admitNext()
      expect(await store.ledger.requestCancel(owned.uuid)).toMatchObject({ state: 'running', cancelRequested: true })
      expect((await store.nodes.renewTerm(term, LEASE_MS)).cancelled).toEqual([owned.uuid])
      await ledger.admitNext()
      await ledger.cancel(owned.uuid)
      expect((await store.nodes.renewTerm(term, LEASE_MS)).cancelled).toEqual([])
      const launch = randomUUID()
      await ledger.beginLaunch(given.uuid, { uuid: launch, stagerFqn: 's', step: 0 })
      await store.nodes.closeTerm(term)
      expect(await store.ledger.requestCancel(given.uuid)).toMatchObject({
        state: 'cancelled',
        launches: [{ state: 'aborted' }],
      })
    })

    it('keeps the number of the term that has ended a staging', async () => {
      const { term, ledger } = await open()
      const { uuid } = await submit()
      await ledger.admitNext()
      await ledger.fail(uuid, undefined, FAILURE)
      await store.nodes.closeTerm(term)
      expect((await store.ledger.get(uuid)).term).toBe(term.number)
    })

    it('counts what runs at a node, and what waits for any', async () => {
      const [one, two] = [await open(), await open()]
      const none = { running: 0, queued: 0, interrupted: 0, oldestQueuedAt: undefined }
      expect(await store.ledger.counts(one.node.uuid)).toEqual(none)
      for (let n = 0; n < 5; n++) await submit()
      for (const { ledger } of [one, one, two]) await ledger.admitNext()
      const oldestQueuedAt = (await store.ledger.list({ state: 'queued' })).at(-1)?.submittedAt
      expect(await store.ledger.counts(one.node.uuid)).toEqual({ ...none, running: 2, queued: 2, oldestQueuedAt })
      await store.nodes.closeTerm(one.term)
      expect(await store.ledger.counts(one.node.uuid)).toMatchObject({ running: 0, queued: 2, interrupted: 2 })
      expect(await store.ledger.counts(two.node.uuid)).toMatchObject({ running: 1, queued: 2, interrupted: 2 })
    })

    it('knows whose a term is or was, as long as it knows the node', async () => {
      const [one, two] = [await open(nodeIdentity({ name: 'one' })), await open(nodeIdentity({ name: 'two' }))]
      await store.nodes.closeTerm(one.term)
      const numbers = [one.term.number, two.term.number, two.term.number + 1000]
      const names = async () => [...(await store.nodes.ofTerms(numbers)).values()].map(({ name }) => name).sort()
      expect(await names()).toEqual(['one', 'two'])
      expect((await store.nodes.ofTerms(numbers)).get(two.term.number)?.uuid).toBe(two.node.uuid)
      await store.nodes.remove(one.node.uuid)
      expect(await names()).toEqual(['two'])
      expect((await store.nodes.ofTerms([])).size).toBe(0)
    })

    it('gives each staging to one of several that ask at once', async () => {
      const nodes = [await open(), await open(), await open()]
      const submitted: string[] = []
      for (let n = 0; n < 6; n++) submitted.push((await submit()).uuid)
      const admitted = await Promise.all(
        Array.from({ length: 8 }, (_, n) => nodes[n % nodes.length]!.ledger.admitNext()),
      )
      expect(admitted.flatMap((one) => one?.uuid ?? []).sort()).toEqual(submitted.sort())
    })
  })
}
