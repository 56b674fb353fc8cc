import path from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { orAborted } from '../../../base/or-aborted.js'
import { StagingRequests, type StagingRequestsParts } from '../../../daemon/cloud-foundry/staging-requests.js'
import type { StagingRequest } from '../../../daemon/cloud-foundry/staging-request.js'
import type { TaskAnswer } from '../../../daemon/cloud-foundry/task-runner.js'
import { Seal } from '../../../daemon/secrets/seal.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import type { Task } from '../../../daemon/store/task-repository.js'
import { FakeBus } from '../../support/fake-bus.js'
import { nodeIdentity } from '../../support/fleet/node-ledger.js'
import { until } from '../../support/until.js'
import { done, openRequestDatabase, type RequestDatabase } from './support/request-database.js'

const REQUEST = Buffer.from(
  JSON.stringify({
    app_id: 'app',
    properties: { framework_info: { name: 'node' } },
    download_uri: 'http://user:secret@example.org/',
    upload_uri: 'http://example.org/',
  }),
)
const never = () => new Promise<never>(() => undefined)

// A process that is killed is one of which nothing is heard any more: its bus is cut off, and its tasks never end.
describe('staging requests', () => {
  let database: RequestDatabase
  let directory: RequestDatabase['directory']
  let server: RequestDatabase['server']
  let store: RequestDatabase['store']
  let answers: RequestDatabase['answers']
  let running: RequestDatabase['running']
  const seal = new Seal(Buffer.alloc(32))

  beforeEach(async () => {
    database = await openRequestDatabase()
    ;({ directory, server, store, answers, running } = database)
  })
  afterEach(() => database.close())

  async function start(
    run: (task: Task) => Promise<TaskAnswer>,
    { database = store, ...more }: Partial<StagingRequestsParts> & { readonly database?: SqliteStore } = {},
  ): Promise<StagingRequests> {
    const before = server.members.size
    // Of a process that has the database to itself: it ends those of others.
    const { number } = await database.nodes.openTerm(nodeIdentity())
    const lost = new AbortController().signal
    const requests = new StagingRequests({
      open: () => Promise.resolve(new FakeBus(server)),
      subjects: ['staging'],
      maxTasks: 4,
      tasks: database.tasks,
      runner: { run, enter: () => Promise.resolve(), settle: () => Promise.resolve() },
      term: () => ({ number, lost }),
      isShared: false,
      left: () => undefined,
      seal,
      logger: pino({ level: 'silent' }),
      retryMs: 5,
      ...more,
    })
    requests.start()
    requests.look()
    await until('it is subscribed', () => server.members.size > before)
    return requests
  }

  const requestOf = (app: string) =>
    Buffer.from(JSON.stringify({ ...(JSON.parse(REQUEST.toString()) as object), app_id: app }))
  const send = (data: Uint8Array = REQUEST) => server.send('staging', data, 'inbox')

  it('are answered by the next process when theirs is killed, with the same task', async () => {
    const begun: string[] = []
    await start((task) => {
      begun.push(task.id)
      return never()
    })
    send()
    await until('it is begun', () => begun.length === 1)
    database.cutOff()
    running.push(await start(done))
    await until('it is answered', () => answers.length === 1)
    expect(answers).toEqual([{ task_id: begun[0], task_log: 'Done!\n' }])
    await until('it is forgotten', async () => (await store.tasks.all()).length === 0)
  })

  it('are not done again when their answer is recorded and was not sent', async () => {
    const ids: string[] = []
    await start(
      async (task) => {
        ids.push(task.id)
        server.stop()
        return await done(task)
      },
      { retryMs: 600_000 },
    )
    send()
    await until('the answer is recorded', async () => (await store.tasks.all())[0]?.answer !== undefined)
    database.cutOff()
    server.start()
    running.push(await start(() => Promise.reject(new Error('it was done before'))))
    await until('it is answered', () => answers.length === 1)
    expect(answers).toEqual([{ task_id: ids[0], task_log: 'Done!\n' }])
  })

  it('that cannot be recorded are counted, and not answered', async () => {
    const results: string[] = []
    const tasks = {
      claim: () => Promise.resolve([]),
      record: () => Promise.reject(new Error('the disk is full')),
    } as unknown as StagingRequestsParts['tasks']
    running.push(await start(done, { tasks, received: ({ result }) => results.push(result) }))
    send()
    await until('it is counted', () => results.length === 1)
    expect([results, answers]).toEqual([['lost'], []])
  })

  it('are sealed on the disk', async () => {
    await start(never)
    send()
    await until('it is recorded', async () => (await store.tasks.all()).length === 1)
    const [{ request }] = (await store.tasks.all()) as [Task]
    expect(Buffer.from(request).includes('secret')).toBe(false)
  })

  it('are at most as many as is allowed at once, in the order of their receipt, and a drain lets these end', async () => {
    const begun: string[] = []
    const ends: (() => void)[] = []
    const requests = await start(
      async (task) => {
        begun.push(task.id)
        await new Promise<void>((resolve) => ends.push(resolve))
        return await done(task)
      },
      { maxTasks: 2 },
    )
    for (const app of ['a', 'b', 'c', 'd', 'e']) send(requestOf(app))
    await until('all are recorded', async () => (await store.tasks.all()).length === 5)
    const order = (await store.tasks.all()).map(({ id }) => id)
    await until('two are begun', () => begun.length === 2)
    let isDrained = false
    const drained = requests.drain().then(() => (isDrained = true))
    expect([begun, isDrained]).toEqual([order.slice(0, 2), false])
    for (const end of ends) end()
    await drained
    await requests.stop()
    expect(answers.map(({ task_id: id }) => id).sort()).toEqual(order.slice(0, 2).sort())
    running.push(await start(done))
    await until('the others are answered', () => answers.length === 5)
    expect(answers.slice(2).map(({ task_id: id }) => id)).toEqual(order.slice(2))
  })

  describe('that wait', () => {
    /** Ends the one that was begun with this index. */
    const ends: (() => void)[] = []
    const begun: string[] = []
    const shown: string[] = []
    async function startWaiting(): Promise<StagingRequests> {
      for (const list of [ends, begun, shown]) list.length = 0
      const runner = {
        run: async (task: Task, { appId }: StagingRequest, stop: AbortSignal) => {
          begun.push(appId)
          await orAborted(new Promise<void>((resolve) => ends.push(resolve)), stop)
          return await done(task)
        },
        enter: (_task: string, { appId }: StagingRequest) => {
          shown.push(appId)
          return Promise.resolve()
        },
        settle: () => Promise.resolve(),
      }
      const requests = await start(done, { maxTasks: 1, runner })
      running.push(requests)
      return requests
    }

    it('are shown as stagings: the first of each application', async () => {
      const requests = await startWaiting()
      for (const app of ['a', 'b', 'c', 'b']) send(requestOf(app))
      await until('all wait', () => requests.status.waiting === 3)
      await until('two are shown', () => shown.length === 2)
      expect([begun, shown, requests.status]).toEqual([['a'], ['b', 'c'], { fault: undefined, active: 1, waiting: 3 }])
      ends[0]!()
      await until('the next is begun', () => begun.length === 2)
      ends[1]!()
      await until('the second of its application is shown', () => shown.length === 3)
      expect([begun, shown]).toEqual([
        ['a', 'b', 'c'],
        ['b', 'c', 'b'],
      ])
      ends[2]!()
      await until('the last is begun', () => ends.length === 4)
      ends[3]!()
      await until('all are answered', () => answers.length === 4)
    })

    it('are not shown while an earlier one of their application is under way, which they would keep waiting', async () => {
      const requests = await startWaiting()
      for (const app of ['a', 'a', 'a']) send(requestOf(app))
      await until('two wait', () => requests.status.waiting === 2)
      ends[0]!()
      await until('the second is begun', () => begun.length === 2)
      send(requestOf('a'))
      await until('two wait', () => requests.status.waiting === 2)
      expect(shown).toEqual([])
    })
  })

  it('say why none come', async () => {
    let open: () => Promise<FakeBus> = () => Promise.reject(new Error('NATS is away.'))
    const { number } = await store.nodes.openTerm(nodeIdentity())
    const term = { number, lost: new AbortController().signal }
    server.denied.add('staging')
    const requests = new StagingRequests({
      ...{ open: () => open(), subjects: ['staging'], maxTasks: 1, tasks: store.tasks, seal, retryMs: 5 },
      runner: { run: done, enter: () => Promise.resolve(), settle: () => Promise.resolve() },
      logger: pino({ level: 'silent' }),
      ...{ term: () => term, isShared: false, left: () => undefined },
    })
    running.push(requests)
    requests.start()
    requests.look()
    await until('it cannot connect', () => requests.status.fault === 'NATS is away.')
    open = () => Promise.resolve(new FakeBus(server))
    await until('it is denied', () => requests.status.fault === 'NATS does not allow "staging".')
    server.denied.clear()
    await until('they come', () => requests.status.fault === undefined)
    send()
    await until('it is answered', () => answers.length === 1)
  })

  it('of two processes are each done once', async () => {
    const other = SqliteStore.open(path.join(directory.path, 'other.db'))
    const counts = [0, 0]
    const counting = (index: number) => (task: Task) => {
      counts[index]! += 1
      return done(task)
    }
    running.push(await start(counting(0)), await start(counting(1), { database: other }))
    for (let count = 0; count < 100; count++) send()
    await until('all are answered', () => answers.length >= 100)
    expect(new Set(answers.map(({ task_id: id }) => id)).size).toBe(100)
    expect([counts[0]! + counts[1]!, counts.every((each) => each > 0)]).toEqual([100, true])
    await Promise.all(running.map((one) => one.stop()))
    running = []
    other.close()
  })

  it('get the end of a log that no message can hold', async () => {
    const log = `${'first\n'.repeat(300_000)}last\n`
    running.push(await start((task) => Promise.resolve({ task_id: task.id, task_log: log })))
    send()
    await until('it is answered', () => answers.length === 1)
    expect(answers[0]?.task_log).toMatch(/^(?:first\n)+last\n$/)
  })

  it('whose answer NATS denies keep no other waiting', async () => {
    server.denied.add('forbidden')
    running.push(await start(done, { maxTasks: 1 }))
    server.send('staging', REQUEST, 'forbidden')
    send()
    await until('the other is answered', () => answers.length === 1)
    await until('both are forgotten', async () => (await store.tasks.all()).length === 0)
  })

  it('wait for a bus that is not there yet', async () => {
    let tries = 0
    const open = () => {
      tries += 1
      return tries < 3 ? Promise.reject(new Error('nobody listens')) : Promise.resolve(new FakeBus(server))
    }
    running.push(await start(done, { open }))
    send()
    await until('it is answered', () => answers.length === 1)
    expect(tries).toBe(3)
  })
})
