import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Registry } from 'prom-client'
import { expect, it, onTestFinished } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { runRoutes } from '../../../daemon/api/routes/runs.js'
import { buildServer } from '../../../daemon/api/server.js'
import { RunningPrograms } from '../../../daemon/runs/running-programs.js'
import { RawClient } from '../../support/raw-client.js'
import { until } from '../../support/until.js'
import { temporaryDirectory } from '../store/temporary-directory.js'
import { ApiClient, logTo, UNGUARDED } from './api-client.js'
import { FakeRuns } from './fake-runs.js'

const DRAFT = JSON.stringify({ package: 'package::/acme::app' })
const HEAD = [
  ...['POST /v1/runs HTTP/1.1', 'host: stagerd', 'content-type: application/json'],
  `content-length: ${DRAFT.length}`,
]

/** Runs behind a guard that asks a database, which answers request after request. */
async function guardedRuns() {
  const asked: Deferred<void>[] = []
  const runs: FakeRuns[] = []
  const start: FakeRuns['start'] = (request, hooks) => {
    const one = new FakeRuns()
    runs.push(one)
    return one.start(request, hooks)
  }
  const visible = async ({ ref }: { readonly ref: string }) => {
    const answer = new Deferred<void>()
    asked.push(answer)
    await answer.promise
    return { name: ref, namespaces: [] }
  }
  const api = buildServer({
    ...{ logger: logTo([]), registry: new Registry(), ...UNGUARDED, places: { visible } },
    routes: [
      (one, closing) => runRoutes(one, { runs: { start }, running: new RunningPrograms(), self: 'this-node' }, closing),
    ],
  })
  const under = new ApiClient(api, await temporaryDirectory())
  onTestFinished(() => under.close())
  const path = await under.listen()
  const accepted = once(api.server, 'connection') as Promise<[Socket]>
  const client = await RawClient.connect(path)
  const [connection] = await accepted
  const leave = async () => {
    const closed = once(connection, 'close')
    client.end()
    await closed
  }
  return { asked, runs, client, leave }
}

it('a run is stopped whose client has gone while the database was asked about it', async () => {
  const { asked, runs, client, leave } = await guardedRuns()
  client.send(HEAD, DRAFT)
  await until('it is judged', () => asked.length === 1)
  await leave()
  asked[0]!.resolve()
  await until('it is started', () => runs.length === 1)
  await until('it is stopped', () => runs[0]!.stops > 0)
  // Nobody reads: what it still prints need not wait.
  await runs[0]!.output('stdout', Buffer.alloc(1_000_000))
})

it('so is one that waits behind another on its connection, when that is closed, before or after its start', async () => {
  const { asked, runs, client, leave } = await guardedRuns()
  client.send(HEAD, DRAFT).send(HEAD, DRAFT).send(HEAD, DRAFT)
  await until('all are judged', () => asked.length === 3)
  asked[0]!.resolve()
  asked[1]!.resolve()
  await until('two are started', () => runs.length === 2)
  await leave()
  asked[2]!.resolve()
  await until('the last is started', () => runs.length === 3)
  await until('all are stopped', () => runs.every(({ stops }) => stops > 0))
  expect(runs).toHaveLength(3)
})
