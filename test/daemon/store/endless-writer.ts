import { randomUUID } from 'node:crypto'
import { writeSync } from 'node:fs'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { packageDraft, resource, stagerSnapshot } from '../../contract/samples.js'

// A process to be killed: takes packages through stagings in a loop, and says what it was told is done.

const store = SqliteStore.open(process.argv[3]!)
/** Synchronous: what is said is in the pipe before anything else happens. */
const say = (what: object) => writeSync(1, `${JSON.stringify(what)}\n`)

for (;;) {
  const made = await store.packages.create(packageDraft(randomUUID(), { resource: resource() }))
  say({ package: made.uuid })
  const stagers = [stagerSnapshot('s')]
  const { uuid } = await store.ledger.submit({ packageUuid: made.uuid, pipelineFqn: 'p', stagers })
  say({ staging: uuid, state: 'queued' })
  const running = (await store.ledger.admitNext())!
  say({ staging: running.uuid, state: 'running' })
  const launch = randomUUID()
  await store.ledger.beginLaunch(running.uuid, { uuid: launch, stagerFqn: 's', step: 0 })
  const { state } = await store.ledger.succeed(launch, running.work)
  say({ staging: running.uuid, state })
}
