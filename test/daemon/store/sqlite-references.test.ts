import path from 'node:path'
import { expect, it } from 'vitest'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { packageDraft, resource, stagerSnapshot } from '../../contract/samples.js'
import { temporaryDirectory } from './temporary-directory.js'

it('a source is referenced while it is staged, and after a failure while the staging can be retried', async () => {
  const directory = await temporaryDirectory()
  const store = SqliteStore.open(path.join(directory.path, 'stagerd.db'))
  const { packages, ledger, references } = store
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
  store.close()
  await directory.remove()
})
