import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StagerSnapshot } from '../../daemon/model/staging.js'
import type { Resource } from '../../daemon/packages/package.js'
import { packageDraft, resource, stagerSnapshot } from './samples.js'
import type { StoreUnderTest } from './namespace-quota.js'
import type { StoreOptions } from '../../daemon/store/sql/store.js'
import { nodeLedgerOf } from '../support/fleet/node-ledger.js'

/** The contract of daemon/store/result-repository.ts, and of what the ledger keeps of packages. */
export function describeResults(name: string, make: (options: StoreOptions) => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let { store, close } = {} as StoreUnderTest
    beforeEach(async () => {
      ;({ store, close } = await make({ history: { results: 3, bytes: 100 } }))
    })
    afterEach(() => close())

    const APP = { namespace: '/acme', name: 'app' }
    const data = (letter: string, length = 10) => resource({ sha256: letter.repeat(64), length })
    const create = (of = APP) => store.packages.create(packageDraft(of.name, { ...of, resource: data('0', 1) }))

    /** Stages the data of the package through stagers that leave this, one after the other; the last one fails without. */
    async function stagedThrough(outputs: readonly (Resource | undefined)[], changes: Partial<StagerSnapshot>[] = []) {
      const { packages } = store
      const ledger = await nodeLedgerOf(store)
      const { uuid: packageUuid } = await packages.get(APP)
      const stagers = outputs.map((_output, place) => ({ ...stagerSnapshot(`s${place}`), ...changes[place] }))
      const source = { resource: data('0', 1), dependencies: undefined, environment: undefined }
      await ledger.submit({ packageUuid, pipelineFqn: 'stagpipe::/::p', stagers, source })
      let staging = (await ledger.admitNext())!
      for (const output of outputs) {
        const launch = randomUUID()
        await ledger.beginLaunch(staging.uuid, { uuid: launch, stagerFqn: 's', step: staging.step })
        await ledger.launchRunning(launch)
        if (!output) return await ledger.fail(staging.uuid, launch, FAILURE)
        const work = { ...staging.work, resource: output }
        const isLast = staging.step + 1 === outputs.length
        staging = await (isLast ? ledger.succeed(launch, work) : ledger.advance(launch, work))
      }
      return staging
    }

    const FAILURE = { cause: 'stager-failed' as const, stager: undefined, message: 'It failed.', hint: 'Mend it.' }

    /** Stages `source` to `result`. */
    async function staged(result: Resource, source = data('0', 1), of = APP) {
      const { packages } = store
      const ledger = await nodeLedgerOf(store)
      const { uuid: packageUuid } = await packages.get(of)
      const request = { packageUuid, pipelineFqn: 'stagpipe::/::p', stagers: [stagerSnapshot('s')] }
      await ledger.submit({ ...request, source: { resource: source, dependencies: undefined, environment: undefined } })
      const { uuid, step, work } = (await ledger.admitNext())!
      const launch = randomUUID()
      await ledger.beginLaunch(uuid, { uuid: launch, stagerFqn: 's', step })
      await ledger.launchRunning(launch)
      return await ledger.succeed(launch, { ...work, resource: result })
    }

    async function history(of = APP) {
      const { results } = await store.results.history(of)
      return results.map(({ number, content }) => `${number} ${content.resource.sha256[0]}`)
    }

    const present = async () => (await store.packages.get(APP)).resource?.sha256[0]
    const kept = async () => {
      const needed = [
        ...(await store.references.resources()).map(({ sha256 }) => sha256),
        ...(await store.references.history()),
      ]
      return [...new Set(needed.map((sha256) => sha256[0]))].sort().join('')
    }

    describe('the history of a package', () => {
      it('has its last results, newest first, each with its number for good', async () => {
        await create()
        for (const letter of ['a', 'b', 'c', 'd']) await staged(data(letter))
        expect(await history()).toEqual(['4 d', '3 c', '2 b'])
      })

      it('is no larger than its setting, beyond the data of the package', async () => {
        await create()
        for (const letter of ['a', 'b']) await staged(data(letter, 90))
        expect(await history()).toEqual(['2 b', '1 a'])
        await staged(data('c', 90))
        expect(await history(), 'with both, 180 of 100 bytes').toEqual(['3 c', '2 b'])
      })

      it('keeps its data, and the sources of its results, from the garbage collection', async () => {
        await create()
        await staged(data('a'), data('1'))
        await staged(data('b'), data('2'))
        expect(await kept()).toBe('12ab')
        for (const letter of ['c', 'd']) await staged(data(letter), data('3'))
        expect(await kept(), 'a and its source are dropped').toBe('23bcd')
      })

      it('has a ready state that nothing has staged, when a result replaces it', async () => {
        await create()
        await store.packages.attach(APP, data('a'), 'ready')
        await staged(data('b'))
        expect(await history()).toEqual(['2 b', '1 a'])
        expect((await store.results.history(APP)).results[1]).toMatchObject({
          origin: { kind: 'kept' },
          making: undefined,
        })
      })

      it('ends with the package', async () => {
        const { uuid } = await create()
        await staged(data('a'))
        await store.packages.delete({ uuid })
        expect(await kept()).toBe('')
      })
    })

    describe('the outputs of the stagers before the last one', () => {
      it('are kept for the newest result', async () => {
        await create()
        await stagedThrough([data('a'), data('b'), data('c')])
        expect(await kept()).toBe('0abc')
        await stagedThrough([data('a'), data('d'), data('e')])
        expect(await kept(), 'b is replaced by d').toBe('0acde')
      })

      it('go when the staging fails or is cancelled, and those of the result before stay', async () => {
        await create()
        await stagedThrough([data('a'), data('b')])
        await stagedThrough([data('c'), undefined])
        expect(await kept()).toBe('0ab')
      })

      it('are found by whoever asks for a single blob, also while the staging runs', async () => {
        await create()
        await stagedThrough([data('a'), data('b')])
        expect(await store.references.refersTo('a'.repeat(64))).toBe(true)
        expect(await store.references.refersTo('d'.repeat(64))).toBe(false)
      })

      it('take what the setting leaves over beside the results: the oldest go first', async () => {
        await create()
        await stagedThrough([data('a', 40), data('b', 40), data('c', 30), data('d', 10)])
        expect(await kept(), '110 and the source are more than 100 bytes').toBe('0bcd')
        await stagedThrough([data('a', 40), data('b', 40), data('c', 30), data('e', 60)])
        expect(await kept(), '11 bytes are taken by d and the source').toBe('0bcde')
        await stagedThrough([data('a', 10), data('b', 101), data('f', 10)])
        expect(await kept(), 'one that is too large is not kept, and drops nothing else').toBe('0adef')
      })

      it.each([
        ['has egress and is not reproducible', [{}, { egress: true }]],
        ['comes after such a one', [{ egress: true }]],
      ])('are not kept of a stager that %s', async (_which, changes) => {
        await create()
        await stagedThrough([data('a'), data('b'), data('c')], changes)
        expect(await kept()).toBe(changes.length === 2 ? '0ac' : '0c')
      })

      it('give way to quotas before the first result does', async () => {
        await create()
        await store.policies.put({
          namespace: '/',
          name: 'rules',
          text: 'on quota::/acme { { total.package.size 35 } }',
        })
        await staged(data('a'))
        await stagedThrough([data('b'), data('c')])
        expect(await kept(), '31 bytes').toBe('0abc')
        await store.packages.create(packageDraft('other', { namespace: '/acme', resource: data('d', 8) }))
        expect(await kept()).toBe('0acd')
      })

      it('end with the package', async () => {
        const { uuid } = await create()
        await stagedThrough([data('a'), data('b')])
        await store.packages.delete({ uuid })
        expect(await kept()).toBe('')
      })
    })

    describe('a rollback', () => {
      it('gives the package an earlier result, as a new entry of the history', async () => {
        await create()
        await staged(data('a'))
        await staged(data('b'))
        expect(await store.results.rollback(APP, 1)).toMatchObject({ to: 1, package: { state: 'ready' } })
        expect(await present()).toBe('a')
        expect(await history()).toEqual(['3 a', '2 b', '1 a'])
        expect((await store.results.history(APP)).results[0]?.origin).toEqual({ kind: 'rollback', to: 1 })
      })

      it('goes to the newest other result without a number, and back', async () => {
        await create()
        await staged(data('a'))
        await staged(data('b'))
        await store.results.rollback(APP)
        expect(await present()).toBe('a')
        await store.results.rollback(APP)
        expect(await present()).toBe('b')
      })

      it('restores the metadata too, and keeps what somebody has changed since', async () => {
        await create()
        await staged(data('a'))
        await store.packages.update(APP, { environment: { EDITED: '1' } })
        await store.results.rollback(APP, 1)
        expect((await store.packages.get(APP)).environment).toEqual({})
        await store.results.rollback(APP)
        expect((await store.packages.get(APP)).environment).toEqual({ EDITED: '1' })
      })

      it('is refused for what is not kept, for what the package has, and during a staging', async () => {
        const { uuid } = await create()
        await expect(store.results.rollback(APP)).rejects.toMatchObject({ code: 'no-earlier-result' })
        await staged(data('a'))
        await expect(store.results.rollback(APP)).rejects.toMatchObject({ code: 'no-earlier-result' })
        await expect(store.results.rollback(APP, 1)).rejects.toMatchObject({ code: 'same-result' })
        await expect(store.results.rollback(APP, 9)).rejects.toMatchObject({ code: 'no-such-result' })
        await staged(data('b'))
        await store.ledger.submit({ packageUuid: uuid, pipelineFqn: 'p', stagers: [stagerSnapshot('s')] })
        await expect(store.results.rollback(APP, 1)).rejects.toMatchObject({ code: 'package-busy' })
      })
    })

    describe('the total quota of a namespace', () => {
      const OTHER = { namespace: '/acme', name: 'other' }
      const limit = (total: number) =>
        store.policies.put({
          namespace: '/',
          name: 'rules',
          text: `on quota::/acme { { total.package.size ${total} } }`,
        })

      it('counts histories: the oldest results give way before anything is refused', async () => {
        await create()
        await limit(35)
        for (const letter of ['a', 'b', 'c']) await staged(data(letter))
        expect(await history(), 'three results and a source have 31 bytes').toEqual(['3 c', '2 b', '1 a'])
        await store.packages.create(packageDraft('other', { ...OTHER, resource: data('d', 15) }))
        expect(await history()).toEqual(['3 c'])
      })

      it('refuses what is too much without any history', async () => {
        await create()
        await limit(35)
        for (const letter of ['a', 'b']) await staged(data(letter))
        const draft = packageDraft('other', { ...OTHER, resource: data('d', 26) })
        await expect(store.packages.create(draft)).rejects.toMatchObject({ code: 'package-quota' })
        expect(await history(), 'a refused transaction drops nothing').toEqual(['2 b', '1 a'])
      })

      it('counts a history that grows although the package does not', async () => {
        await create()
        await limit(25)
        for (const letter of ['a', 'b', 'c']) await staged(data(letter))
        expect(await history()).toEqual(['3 c', '2 b'])
      })
    })
  })
}
