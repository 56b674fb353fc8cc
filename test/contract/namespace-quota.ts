import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Refused } from '../../base/errors.js'
import { packageDraft, resource, stagerSnapshot } from './samples.js'
import type { SqlStore, StoreOptions } from '../../daemon/store/sql/store.js'
import { nodeLedgerOf } from '../support/fleet/node-ledger.js'

/** Limit of a package that no policy mentions. */
const PACKAGE_BYTES = 500

export interface StoreUnderTest {
  readonly store: SqlStore
  readonly close: () => Promise<void>
}

/** The quotas of daemon/store/repositories.ts and daemon/store/exchange-repository.ts. */
export function describeNamespaceQuota(name: string, make: (options: StoreOptions) => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let { store, close } = {} as StoreUnderTest
    beforeEach(async () => {
      ;({ store, close } = await make({ packageBytes: PACKAGE_BYTES }))
      await setTotal('100B')
    })
    afterEach(() => close())

    const setTotal = (total: string) =>
      store.policies.put({ namespace: '/', name: 'rules', text: `on quota::/acme { { total.package.size ${total} } }` })

    const draft = (name: string, length: number, namespace = '/acme') =>
      packageDraft(name, { namespace, resource: resource({ length }) })
    const create = (name: string, length: number, namespace = '/acme') =>
      store.packages.create(draft(name, length, namespace))

    const used = async () =>
      (await store.packages.list({ namespace: '/acme' })).reduce(
        (total, found) => total + (found.resource?.length ?? 0),
        0,
      )

    /** The verdict of the last stager of a staging that gives the package `length` bytes. */
    async function staged(name: string, length: number) {
      const { packages } = store
      const ledger = await nodeLedgerOf(store)
      const { uuid: packageUuid } = await packages.get({ namespace: '/acme', name })
      await ledger.submit({ packageUuid, pipelineFqn: 'p', stagers: [stagerSnapshot('s')] })
      const { uuid, step, work } = (await ledger.admitNext())!
      const launch = randomUUID()
      await ledger.beginLaunch(uuid, { uuid: launch, stagerFqn: 's', step })
      await ledger.launchRunning(launch)
      return await ledger.succeed(launch, { ...work, resource: resource({ length }) })
    }

    const imported = (whenThere: 'refuse' | 'override', ...packages: readonly (readonly [string, number])[]) =>
      store.exchange.import(
        { packages: packages.map(([name, length]) => draft(name, length)), stagers: [], pipelines: [] },
        whenThere,
      )

    describe('the total quota of a namespace', () => {
      beforeEach(() => create('old', 40))

      const tooLarge: readonly (readonly [path: string, grow: () => Promise<unknown>])[] = [
        ['a new package', () => create('new', 61)],
        ['a new package in a namespace below', () => create('new', 61, '/acme/pkg')],
        [
          'other data for a package',
          () => store.packages.attach({ namespace: '/acme', name: 'old' }, resource({ length: 101 }), 'ready'),
        ],
        [
          'the content of a package from another namespace',
          async () => {
            await create('large', 101, '/elsewhere')
            return store.packages.replace(
              { namespace: '/acme', name: 'old' },
              { namespace: '/elsewhere', name: 'large' },
            )
          },
        ],
        ['the result of a staging', () => staged('old', 101)],
        ['the packages of an import together', () => imported('refuse', ['one', 30], ['two', 31])],
        ['packages that an import replaces and makes', () => imported('override', ['old', 50], ['two', 51])],
      ]
      it.each(tooLarge)('refuses %s', async (_path, grow) => {
        const error: unknown = await grow().catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(Refused)
        expect(error).toMatchObject({
          code: 'package-quota',
          message: expect.stringMatching(/\/acme .*100 B .*101 B/) as string,
        })
        expect(await used()).toBe(40)
      })

      const fitting: readonly (readonly [path: string, grow: () => Promise<unknown>, total: number])[] = [
        ['a new package', () => create('new', 60), 100],
        [
          'packages of which one grows as another shrinks',
          async () => {
            await create('two', 50)
            return imported('override', ['old', 80], ['two', 20])
          },
          100,
        ],
        ['the result of a staging', () => staged('old', 100), 100],
        ['what another namespace has', () => create('new', 400, '/elsewhere'), 40],
      ]
      it.each(fitting)('allows %s', async (_path, grow, total) => {
        await grow()
        expect(await used()).toBe(total)
      })

      it('is not passed by two uploads at once', async () => {
        const results = await Promise.allSettled([create('one', 40), create('two', 40)])
        expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
        expect(await used()).toBe(80)
      })

      it('that is exceeded since it was lowered allows what has less data than before', async () => {
        await create('other', 50)
        await setTotal('60B')
        const old = { namespace: '/acme', name: 'old' }
        await store.packages.attach(old, resource({ length: 39 }), 'ready')
        await store.packages.update(old, { environment: { A: '1' } })
        await expect(store.packages.attach(old, resource({ length: 40 }), 'ready')).rejects.toMatchObject({
          code: 'package-quota',
        })
      })

      it('leaves the rest to the next upload', async () => {
        expect(await store.packages.remainingQuota('/acme/pkg')).toBe(60)
        expect(await store.packages.remainingQuota('/elsewhere')).toBe(PACKAGE_BYTES)
      })
    })

    it('the size limit of a package holds without a policy', async () => {
      await expect(create('large', PACKAGE_BYTES + 1, '/elsewhere')).rejects.toMatchObject({ code: 'package-quota' })
      await create('fits', PACKAGE_BYTES, '/elsewhere')
    })

    it('a staging whose result is refused can still be failed', async () => {
      const { uuid } = await create('app', 10)
      await expect(staged('app', 200)).rejects.toThrow(Refused)
      const ledger = await nodeLedgerOf(store)
      const [staging] = await ledger.list({ state: 'running' })
      const launch = staging!.launches[0]!.uuid
      await ledger.fail(staging!.uuid, launch, {
        cause: 'policy',
        stager: 's',
        message: 'Too large.',
        hint: 'Less.',
      })
      expect(await store.packages.get({ uuid })).toMatchObject({ state: 'failed', resource: { length: 10 } })
    })
  })
}
