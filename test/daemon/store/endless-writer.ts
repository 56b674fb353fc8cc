import { randomUUID } from 'node:crypto'
import { writeSync } from 'node:fs'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { packageDraft, resource, stagerSnapshot } from '../../contract/samples.js'
import { nodeLedgerOf } from '../../support/fleet/node-ledger.js'

// A process that the test kills: it stages packages in a loop, and prints each acknowledged change.

const store = SqliteStore.open(process.argv[2]!)
/** Synchronous, so that a line is in the pipe before the next change. */
const print = (what: object) => writeSync(1, `${JSON.stringify(what)}\n`)

for (;;) {
  const created = await store.packages.create(packageDraft(randomUUID(), { resource: resource() }))
  print({ package: created.uuid })
  const stagers = [stagerSnapshot('s')]
  const { uuid } = await store.ledger.submit({ packageUuid: created.uuid, pipelineFqn: 'p', stagers })
  print({ staging: uuid, state: 'queued' })
  const ledger = await nodeLedgerOf(store)
  const running = (await ledger.admitNext())!
  print({ staging: running.uuid, state: 'running' })
  const launch = randomUUID()
  await ledger.beginLaunch(running.uuid, { uuid: launch, stagerFqn: 's', step: 0 })
  const { state } = await ledger.succeed(launch, running.work)
  print({ staging: running.uuid, state })
}
