import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DeliveryOutcome, Receiver } from '../../daemon/model/webhook.js'
import { ledgerSamples } from '../daemon/metrics/ledger-samples.js'
import type { StoreUnderTest } from './namespace-quota.js'

const PIPELINE = 'stagpipe::/acme::p'
const LATER = new Date(Date.now() + 3_600_000)
const EVER = { oldest: new Date(0), waiting: 1000 }

/** The contract of daemon/store/webhook-repository.ts, with the ledger whose transactions record the deliveries. */
export function describeWebhooks(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let { store, close } = {} as StoreUnderTest
    beforeEach(async () => {
      ;({ store, close } = await make())
    })
    afterEach(() => close())

    const receiver = (sealed = 'sealed'): Receiver => ({ uuid: randomUUID(), url: 'https://ci.example.org/', sealed })
    const add = (changes: Partial<Parameters<typeof store.webhooks.create>[0]> = {}) =>
      store.webhooks.create({
        ...receiver(),
        ...{ namespace: '/', on: ['succeeded', 'failed', 'cancelled'], createdAt: '2026-01-01T00:00:00.000Z' },
        ...changes,
      })
    const samples = (notify: readonly Receiver[] = []) => ledgerSamples(store, () => undefined, { notify })
    const due = (each = 100) => store.webhooks.due(LATER, each)
    const outcome = (result: DeliveryOutcome['result']): DeliveryOutcome => ({
      ...{ result, staging: 's', at: '2026-01-01T00:00:00.000Z', attempts: 1, message: 'It answered.' },
    })

    it('are listed, oldest first, until they are deleted', async () => {
      const second = await add({ createdAt: '2026-01-02T00:00:00.000Z', namespace: '/acme', on: ['failed'] })
      const first = await add({ sealed: 'of the first' })
      expect(await store.webhooks.list()).toEqual([first, second])
      expect(second).toMatchObject({
        namespace: '/acme',
        staging: undefined,
        on: ['failed'],
        last: undefined,
        waiting: 0,
      })
      expect(await store.webhooks.get(first.uuid.toUpperCase())).toEqual(first)
      expect(await store.webhooks.target(first.uuid)).toEqual({
        uuid: first.uuid,
        url: first.url,
        sealed: 'of the first',
      })
      expect(await store.webhooks.delete(first.uuid)).toEqual(first)
      expect(await store.webhooks.list()).toEqual([second])
      const gone = { code: 'webhook-not-found' }
      await expect(store.webhooks.get(first.uuid)).rejects.toMatchObject(gone)
      await expect(store.webhooks.target(first.uuid)).rejects.toMatchObject(gone)
      await expect(store.webhooks.delete(first.uuid)).rejects.toMatchObject(gone)
    })

    it('are 20 in a namespace, and 200 in all, without those of calls', async () => {
      for (let n = 0; n < 20; n++) await add({ namespace: '/acme' })
      await expect(add({ namespace: '/acme' })).rejects.toMatchObject({ code: 'too-many-webhooks' })
      await samples([receiver()]).submit(PIPELINE)
      for (let n = 0; n < 180; n++) await add({ namespace: `/n${n % 10}` })
      await expect(add({ namespace: '/other' })).rejects.toMatchObject({ code: 'too-many-webhooks' })
    })

    it('are told of each way to end that they ask for, in their namespace', async () => {
      const all = await add({ namespace: '/acme' })
      const failures = await add({ on: ['failed'] })
      for (const namespace of ['/acm', '/acme-2', '/acme/p', '/other']) await add({ namespace })
      await samples().succeed(PIPELINE)
      await samples().fail(PIPELINE, 'timeout')
      await samples().cancelQueued(PIPELINE)
      await samples().cancelRunning(PIPELINE)
      const told = (await due()).map(({ webhook }) => webhook.uuid)
      expect(told.filter((uuid) => uuid === all.uuid)).toHaveLength(4)
      expect(told.filter((uuid) => uuid === failures.uuid)).toHaveLength(1)
      expect(told).toHaveLength(5)
      expect((await store.webhooks.get(all.uuid)).waiting).toBe(4)
      expect(await store.webhooks.waiting()).toBe(5)
    })

    it('of a call are told of its staging, share the lane of their namespace, and go when they have been told', async () => {
      const two = [receiver('one'), receiver('two')]
      const { uuid } = await samples(two).succeed(PIPELINE)
      expect((await store.webhooks.list(uuid)).map((one) => one.staging)).toEqual([uuid, uuid])
      expect(await store.webhooks.list()).toEqual([])
      const waiting = await due()
      expect(waiting.map(({ lane, staging }) => [lane, staging])).toEqual([
        ['/acme', uuid],
        ['/acme', uuid],
      ])
      await store.webhooks.settle(waiting[0]!, outcome('delivered'))
      await store.webhooks.settle(waiting[1]!, outcome('given-up'))
      const left = await store.webhooks.list(uuid)
      expect(left.map(({ last }) => last?.result)).toEqual(['given-up'])
      await store.references.forgetStagings([uuid])
      expect(await store.webhooks.list(uuid)).toEqual([])
    })

    it('give what is due, the oldest first, and so many of each lane', async () => {
      const [one, two] = [await add(), await add()]
      for (let n = 0; n < 3; n++) await samples().succeed(PIPELINE)
      const all = await due()
      expect(all).toHaveLength(6)
      expect(all.map(({ createdAt }) => createdAt)).toEqual(all.map(({ createdAt }) => createdAt).sort())
      for (const { uuid } of [one, two])
        expect((await due(2)).filter(({ lane }) => lane === uuid)).toEqual(
          all.filter(({ lane }) => lane === uuid).slice(0, 2),
        )
      expect(await store.webhooks.due(new Date(0), 100)).toEqual([])
      expect((await store.webhooks.nextDue(new Date(0)))?.toISOString()).toBe(all[0]!.createdAt)
      expect(await store.webhooks.nextDue(LATER)).toBeUndefined()
    })

    it('give an attempt to one that begins it, and again when its time has come', async () => {
      const { uuid } = await add()
      await samples().succeed(PIPELINE)
      const [delivery] = await due()
      const begun = await Promise.all(
        [1, 2, 3].map(() => store.webhooks.begin(delivery!, new Date(LATER.getTime() - 5))),
      )
      expect(begun.sort()).toEqual([false, false, true])
      expect(await store.webhooks.due(new Date(LATER.getTime() - 10), 100)).toEqual([])
      const [again] = await due()
      expect(again).toMatchObject({ id: delivery!.id, attempts: 1 })
      await store.webhooks.settle(again!, outcome('waiting'), LATER)
      expect((await store.webhooks.get(uuid)).last).toEqual(outcome('waiting'))
      expect(await store.webhooks.begin(again!, LATER)).toBe(true)
      await store.webhooks.settle(again!, outcome('given-up'))
      expect(await store.webhooks.begin({ ...again!, attempts: 2 }, LATER), 'one that has ended').toBe(false)
      expect(await store.webhooks.waiting()).toBe(0)
    })

    it('drop what is too old or too much, and say so', async () => {
      const { uuid } = await add()
      for (let n = 0; n < 4; n++) await samples().succeed(PIPELINE)
      const all = await due()
      expect(await store.webhooks.drop(EVER)).toEqual([])
      const dropped = await store.webhooks.drop({ ...EVER, waiting: 1 })
      expect(dropped.map(({ id }) => id).sort()).toEqual(
        all
          .slice(0, 3)
          .map(({ id }) => id)
          .sort(),
      )
      expect(dropped[0]).toMatchObject({ webhook: uuid, attempts: 0 })
      expect((await store.webhooks.get(uuid)).last).toMatchObject({ result: 'dropped' })
      expect((await due()).map(({ id }) => id)).toEqual([all[3]!.id])
      expect(await store.webhooks.drop({ ...EVER, oldest: LATER })).toHaveLength(1)
      expect(await store.webhooks.waiting()).toBe(0)
    })

    it('hold the record of a staging while a delivery waits, and take their deliveries along', async () => {
      const { uuid } = await add()
      const staging = await samples().succeed(PIPELINE)
      expect(await store.references.forgetStagings([staging.uuid])).toEqual([])
      await store.webhooks.delete(uuid)
      expect(await store.webhooks.waiting()).toBe(0)
      expect(await store.references.forgetStagings([staging.uuid])).toEqual([staging.uuid])
    })

    it('seal the secrets that are stored as they are, and no others', async () => {
      const [plain, sealed] = [await add({ sealed: 'whsec_abc' }), await add({ sealed: 'Whsec_abc' })]
      await store.webhooks.sealAll((uuid, secret) => `${uuid} ${secret}`)
      expect((await store.webhooks.target(plain.uuid)).sealed).toBe(`${plain.uuid} whsec_abc`)
      expect((await store.webhooks.target(sealed.uuid)).sealed).toBe('Whsec_abc')
    })
  })
}
