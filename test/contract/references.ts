import { describe, expect, it } from 'vitest'
import { packageDraft, resource, stagerSnapshot } from './samples.js'
import type { StoreUnderTest } from './namespace-quota.js'
import type { StoreOptions } from '../../daemon/store/sql/store.js'
import { nodeLedgerOf } from '../support/fleet/node-ledger.js'

/** The contract of daemon/store/reference-repository.ts. */
export function describeReferences(name: string, make: (options: StoreOptions) => Promise<StoreUnderTest>): void {
  describe(name, () => {
    it('a source is referenced while it is staged, and after a failure while the staging can be retried', async () => {
      const { store, close } = await make({})
      const { packages, references } = store
      const ledger = await nodeLedgerOf(store)
      const own = resource({ sha256: 'a'.repeat(64) })
      const source = { resource: resource({ sha256: 'b'.repeat(64) }), dependencies: undefined, environment: undefined }
      const app = await packages.create(packageDraft('app', { resource: own, state: 'ready' }))
      const referred = async () => [...new Set((await references.resources()).map(({ sha256 }) => sha256))].sort()

      const request = { packageUuid: app.uuid, pipelineFqn: 'stagpipe::/::p', stagers: [stagerSnapshot('one')], source }
      const { uuid } = await ledger.submit(request)
      expect(await referred()).toEqual([own.sha256, source.resource.sha256])

      await ledger.admitNext()
      await ledger.fail(uuid, undefined, { cause: 'timeout', stager: undefined, message: 'Too slow', hint: 'Hurry.' })
      expect(await referred()).toEqual([own.sha256, source.resource.sha256])

      await references.forgetStagings([uuid])
      expect(await referred()).toEqual([own.sha256])
      await close()
    })
  })
}
