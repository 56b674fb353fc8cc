import { nodeLedgerOf } from '../support/fleet/node-ledger.js'
import { describe, expect, it } from 'vitest'
import type { StoreUnderTest } from './namespace-quota.js'
import { packageDraft, resource, stagerSnapshot } from './samples.js'

/** The contract of daemon/store/resource-owners.ts. */
export function describeResourceOwners(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    it('are the namespaces of packages that have it, have had it, or are staged from it', async () => {
      const { store, close } = await make()
      const { packages, resourceOwners } = store
      const ledger = await nodeLedgerOf(store)
      const digests = ['a', 'b', 'c'].map((letter) => letter.repeat(64))
      const owners = () => Promise.all(digests.map((one) => resourceOwners.namespacesOf(one)))
      const create = (namespace: string, sha256: string) =>
        packages.create(packageDraft('app', { namespace, resource: resource({ sha256 }), state: 'ready' }))
      const { uuid: packageUuid } = await create('/acme', digests[0]!)
      expect(await owners()).toEqual([['/acme'], [], []])
      const source = { resource: resource({ sha256: digests[1]! }), dependencies: undefined, environment: undefined }
      await ledger.submit({ packageUuid, pipelineFqn: 'p', stagers: [stagerSnapshot('s')], source })
      expect(await owners()).toEqual([['/acme'], ['/acme'], []])
      const { uuid, work, step } = (await ledger.admitNext())!
      await ledger.beginLaunch(uuid, { uuid: 'launch', stagerFqn: 's', step })
      await ledger.launchRunning('launch')
      await ledger.succeed('launch', { ...work, resource: resource({ sha256: digests[2]! }) })
      await create('/other', digests[2]!)
      const [had, staged, has] = await owners()
      expect([had, staged, has?.toSorted()]).toEqual([['/acme'], ['/acme'], ['/acme', '/other']])
      await close()
    })
  })
}
