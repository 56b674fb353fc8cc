import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { NodeLedger } from '../../daemon/store/node-ledger.js'
import type { StoreOptions } from '../../daemon/store/sql/store.js'
import { nodeIdentity, openLedger } from '../support/fleet/node-ledger.js'
import type { StoreUnderTest } from './namespace-quota.js'
import { packageDraft, resource, stagerSnapshot } from './samples.js'

const FAILURE = { cause: 'timeout', stager: undefined, message: 'Too slow.', hint: 'Hurry.' } as const

/** Which stagings an admission takes where policies limit how many run at once (daemon/store/node-ledger.ts). */
export function describeConcurrency(
  name: string,
  make: (options?: StoreOptions) => Promise<Pick<StoreUnderTest, 'store' | 'close'>>,
): void {
  describe(name, () => {
    let { store, close } = {} as StoreUnderTest
    let ledger: NodeLedger
    beforeEach(async () => {
      ;({ store, close } = await make())
      ledger = await openLedger(store, nodeIdentity({ labels: ['gpu'] }))
    })
    afterEach(() => close())

    const limit = (realm: string, most: number) =>
      store.policies.put({
        namespace: '/',
        name: `limit${realm.replaceAll('/', '-')}`,
        text: `on quota::${realm} { running.stagings ${most} }`,
      })
    const submit = async (namespace: string, labels: readonly string[] = []) => {
      const draft = packageDraft(randomUUID(), { namespace, resource: resource() })
      const { uuid: packageUuid } = await store.packages.create(draft)
      const stagers = [{ ...stagerSnapshot('s'), labels }]
      return (await store.ledger.submit({ packageUuid, pipelineFqn: 'p', stagers })).uuid
    }
    const admit = async (by = ledger) => (await by.admitNext())?.uuid
    const end = (uuid: string | undefined) => ledger.fail(uuid!, undefined, FAILURE)

    it('admits as many of a realm as may run at once, and then the oldest of others', async () => {
      await limit('/acme', 2)
      const [one, two, three] = [await submit('/acme'), await submit('/acme/web'), await submit('/acme')]
      const others = [await submit('/acme-other'), await submit('/')]
      expect([await admit(), await admit()]).toEqual([one, two])
      expect([await admit(), await admit()]).toEqual(others)
      expect(await admit()).toBeUndefined()
      await end(two)
      expect(await admit()).toBe(three)
    })

    it('applies the limits of all realms that a staging is in: that of / is for all', async () => {
      await limit('/', 3)
      await limit('/acme', 2)
      await limit('/acme/web', 1)
      const [web, web2, acme] = [await submit('/acme/web'), await submit('/acme/web/shop'), await submit('/acme')]
      const [acme2, other, other2] = [await submit('/acme'), await submit('/other'), await submit('/other')]
      expect([await admit(), await admit(), await admit(), await admit()]).toEqual([web, acme, other, undefined])
      await end(acme)
      expect([await admit(), await admit()]).toEqual([acme2, undefined])
      await end(web)
      expect([await admit(), await admit()]).toEqual([web2, undefined])
      await end(acme2)
      expect(await admit()).toBe(other2)
    })

    it('lets nothing begin where none may run, until the limit is raised or gone', async () => {
      await limit('/acme', 0)
      const [one, two] = [await submit('/acme'), await submit('/acme')]
      expect(await admit()).toBeUndefined()
      await limit('/acme', 1)
      expect([await admit(), await admit()]).toEqual([one, undefined])
      await store.policies.delete({ namespace: '/', name: 'limit-acme' })
      expect(await admit()).toBe(two)
    })

    it('lets what was interrupted go on, which has its place already', async () => {
      const running = [await submit('/acme'), await submit('/acme')]
      for (const uuid of running) expect(await admit()).toBe(uuid)
      await limit('/acme', 1)
      const queued = await submit('/acme')
      ledger = await openLedger(store)
      expect([await admit(), await admit(), await admit()]).toEqual([...running, undefined])
      await end(running[0])
      expect(await admit()).toBeUndefined()
      await end(running[1])
      expect(await admit()).toBe(queued)
    })

    it('skips what the node may not run, and what is in a full realm, whatever labels it needs', async () => {
      await limit('/acme', 1)
      await submit('/other', ['arm'])
      const [acme, acme2] = [await submit('/acme', ['gpu']), await submit('/acme', ['gpu'])]
      const [plain, gpu] = [await submit('/other'), await submit('/other', ['gpu'])]
      expect([await admit(), await admit(), await admit(), await admit()]).toEqual([acme, plain, gpu, undefined])
      await end(acme)
      expect(await admit()).toBe(acme2)
    })

    it('is not passed by several that ask at once', async () => {
      await limit('/acme', 2)
      for (let n = 0; n < 4; n++) await submit('/acme')
      const other = await submit('/other')
      const admitted = await Promise.all(Array.from({ length: 6 }, () => admit()))
      const found = admitted.filter((uuid) => uuid !== undefined)
      expect(found).toHaveLength(3)
      expect(found).toContain(other)
    })
  })
}
