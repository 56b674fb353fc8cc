import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { StoreOptions } from '../../../daemon/store/sql/store.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { packageDraft, resource, stagerSnapshot } from '../../contract/samples.js'
import { describeStore } from '../../contract/store.js'
import { temporaryDirectory } from './temporary-directory.js'
import { nodeLedgerOf } from '../../support/fleet/node-ledger.js'

async function open({ packageBytes, history, now }: StoreOptions = {}) {
  const directory = await temporaryDirectory()
  const store = SqliteStore.open(join(directory.path, 'stagerd.db'), packageBytes, history, now)
  return {
    directory: directory.path,
    store,
    close: async () => {
      store.close()
      await directory.remove()
    },
  }
}

describeStore('SQLite', open)

it('the outputs of stagers are in no backup, because they can be made again', async () => {
  const { directory, store, close } = await open()
  const { packages, references, backups } = store
  const ledger = await nodeLedgerOf(store)
  const { uuid: packageUuid } = await packages.create(packageDraft('app', { resource: resource() }))
  await ledger.submit({ packageUuid, pipelineFqn: 'p', stagers: ['one', 'two'].map((name) => stagerSnapshot(name)) })
  let staging = (await ledger.admitNext())!
  for (const letter of ['b', 'c']) {
    await ledger.beginLaunch(staging.uuid, { uuid: letter, stagerFqn: 's', step: staging.step })
    await ledger.launchRunning(letter)
    const work = { ...staging.work, resource: resource({ sha256: letter.repeat(64) }) }
    staging = await (letter === 'b' ? ledger.advance(letter, work) : ledger.succeed(letter, work))
  }
  expect(await references.history()).toContain('b'.repeat(64))

  const file = join(directory, 'copy.db')
  expect(await backups.copyTo(file)).not.toContain('b'.repeat(64))
  const copy = SqliteStore.open(file)
  expect(await copy.references.history()).toEqual(await references.results())
  copy.close()
  await close()
})
