import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { orAborted } from '../../../base/or-aborted.js'
import { StagingRequests, type StagingRequestsParts } from '../../../daemon/cloud-foundry/staging-requests.js'
import type { Term } from '../../../daemon/model/node.js'
import { Seal } from '../../../daemon/secrets/seal.js'
import { FakeBus } from '../../support/fake-bus.js'
import { nodeIdentity } from '../../support/fleet/node-ledger.js'
import { until } from '../../support/until.js'
import { done, openRequestDatabase, type RequestDatabase } from './support/request-database.js'

const LEASE_MS = 30_000

type Run = StagingRequestsParts['runner']['run']

interface Node {
  readonly term: Term
  readonly lost: AbortController
}

/** At work until the end. */
const hanging =
  (begun: string[] = []): Run =>
  (task, _request, stop) => {
    begun.push(task.id)
    return orAborted(new Promise<never>(() => undefined), stop)
  }

describe('staging requests of nodes that share a database', () => {
  let database: RequestDatabase
  let server: RequestDatabase['server']
  let store: RequestDatabase['store']
  let answers: RequestDatabase['answers']
  let running: RequestDatabase['running']
  const seal = new Seal(Buffer.alloc(32))

  beforeEach(async () => {
    database = await openRequestDatabase()
    ;({ server, store, answers, running } = database)
  })
  afterEach(() => database.close())

  const open = async (node = nodeIdentity()): Promise<Node> => ({
    term: await store.nodes.openTerm(node, LEASE_MS),
    lost: new AbortController(),
  })
  /** What others do when its lease is over, and the node itself before that. */
  const end = async ({ term, lost }: Node) => {
    lost.abort()
    await store.nodes.closeTerm(term)
  }
  const start = async ({ term, lost }: Node, run: Run, more: Partial<StagingRequestsParts> = {}) => {
    const before = server.members.size
    const requests = new StagingRequests({
      open: () => Promise.resolve(new FakeBus(server)),
      ...{ subjects: ['staging'], maxTasks: 4, tasks: store.tasks, seal },
      runner: { run, enter: () => Promise.resolve(), settle: () => Promise.resolve() },
      term: () => ({ number: term.number, lost: lost.signal }),
      ...{ isShared: true, left: () => undefined, logger: pino({ level: 'silent' }), retryMs: 5 },
      ...more,
    })
    running.push(requests)
    requests.start()
    requests.look()
    await until('it is subscribed', () => server.members.size > before)
    return requests
  }

  const requestOf = (app: string) =>
    Buffer.from(
      JSON.stringify({
        ...{ app_id: app, properties: { framework_info: { name: 'node' } } },
        ...{ download_uri: 'http://example.org/', upload_uri: 'http://example.org/' },
      }),
    )
  const send = (...apps: readonly string[]) => {
    for (const app of apps) server.send('staging', requestOf(app), 'inbox')
  }
  /** As a node records it, with a task of the same name. */
  const recorded = (app: string) => ({
    ...{ id: app, reply: 'inbox', answer: undefined },
    request: seal.close(requestOf(app), `staging request ${app}`),
  })
  const ids = async () => (await store.tasks.all()).map(({ id }) => id)
  const answered = () => answers.map(({ task_id: id }) => id)

  it('are answered by another node when the one dies that has recorded them, with the same tasks', async () => {
    const [one, two] = [await open(), await open()]
    const begun: string[] = []
    await start(one, hanging(begun), { maxTasks: 1 })
    send('a', 'b', 'c')
    await until('all are recorded, and one is begun', async () => begun.length === 1 && (await ids()).length === 3)
    const tasks = await ids()
    database.cutOff()
    const other = await start(two, done)
    send('d')
    await until('it has answered its own', () => answers.length === 1)
    expect(tasks, 'those are of a node that may be alive').not.toContain(answered()[0])
    await end(one)
    other.look()
    await until('all are answered', () => answers.length === 4)
    expect(answered().slice(1).toSorted()).toEqual(tasks.toSorted())
    expect(begun).toEqual(tasks.slice(0, 1))
    await until('none is left', async () => (await ids()).length === 0)
  })

  it('are answered by another node with the answer that is recorded, when the first one dies before it was sent', async () => {
    const [one, two] = [await open(), await open()]
    const first: Run = (task) => {
      server.stop()
      return done(task)
    }
    await start(one, first, { retryMs: 600_000 })
    send('a')
    await until('the answer is recorded', async () => (await store.tasks.all())[0]?.answer !== undefined)
    const [task] = await ids()
    await end(one)
    server.start()
    await start(two, () => Promise.reject(new Error('it was done before')))
    await until('it is answered', () => answers.length === 1)
    expect(answers).toEqual([{ task_id: task, task_log: 'Done!\n' }])
  })

  it('get no answer of a node that stood still while its term was ended, and does not know that', async () => {
    const [one, two] = [await open(), await open()]
    let wakeUp: () => void = () => undefined
    const asleep = new Promise<void>((resolve) => (wakeUp = resolve))
    const first = await start(one, async (task) => {
      await asleep
      return { task_id: task.id, task_log: 'too late' }
    })
    send('a')
    await until('it is begun', () => first.status.active === 1)
    await store.nodes.closeTerm(one.term)
    let finish: () => void = () => undefined
    const gate = new Promise<void>((resolve) => (finish = resolve))
    const second = await start(two, async (task) => {
      await gate
      return await done(task)
    })
    await until('the other one has it', () => second.status.active === 1)
    wakeUp()
    await until('the first has ended', () => first.status.active === 0)
    expect(answers).toEqual([])
    finish()
    await until('it is answered', () => answers.length === 1)
    expect(answers.map(({ task_log: log }) => log)).toEqual(['Done!\n'])
  })

  it('are claimed as far as a node has places, with one more at each look, and the rest by others', async () => {
    const [one, two] = [await open(), await open()]
    await store.tasks.record(['a', 'b', 'c', 'd'].map(recorded), one.term.number)
    await end(one)
    const other = await start(two, hanging(), { maxTasks: 1 })
    await until('it has one', () => other.status.active === 1)
    other.look()
    await until('one waits', () => other.status.waiting === 1)
    // The node that had them, in its next term.
    await start(await open({ ...nodeIdentity(), uuid: one.term.node }), done)
    await until('the rest is answered', () => answers.length === 2)
    expect(answered().toSorted()).toEqual(['c', 'd'])
  })

  it('go on at the same node in its next term, when nothing of the term before is at work any more', async () => {
    const [one, next] = [await open(), await open()]
    let node = one
    const begun: string[] = []
    const begins: string[] = []
    const requests = await start(
      one,
      async (task, request, stop) => {
        begins.push(`${task.id} of ${task.term === one.term.number ? 'one' : 'next'}`)
        if (task.term !== one.term.number) return await done(task)
        try {
          return await hanging(begun)(task, request, stop)
        } finally {
          await new Promise((resolve) => setTimeout(resolve, 20))
          begins.push('ended')
        }
      },
      { term: () => ({ number: node.term.number, lost: node.lost.signal }) },
    )
    await store.tasks.record([recorded('a')])
    requests.look()
    await until('it is begun', () => begun.length === 1)
    await end(one)
    node = next
    requests.look()
    await until('it is answered', () => answers.length === 1)
    expect(begins).toEqual(['a of one', 'ended', 'a of next'])
  })

  it('are left to others at once by a node that drains, and those under way by one that stops', async () => {
    const [one, two] = [await open(), await open()]
    const others: StagingRequests[] = []
    const left = () => others.forEach((other) => other.look())
    const first = await start(one, hanging(), { maxTasks: 1, left })
    send('a', 'b', 'c')
    await until('two wait', () => first.status.waiting === 2)
    const [under, ...waiting] = await ids()
    database.cutOff()
    others.push(await start(two, done))
    const drained = first.drain()
    await until('those that waited are answered', () => answers.length === 2)
    expect(answered().toSorted()).toEqual(waiting.toSorted())
    await first.stop()
    await drained
    await until('the one under way is answered', () => answers.length === 3)
    expect(answered()[2]).toBe(under)
  })

  it('are not begun by a node that has no term yet, but as soon as it has one', async () => {
    const node = await open()
    let has = false
    const terms: (number | undefined)[] = []
    const run: Run = (task) => {
      terms.push(task.term)
      return done(task)
    }
    const term = () => (has ? { number: node.term.number, lost: node.lost.signal } : undefined)
    let isRecorded = false
    const requests = await start(node, run, { term, received: () => (isRecorded = true) })
    send('a')
    await until('it is recorded', () => isRecorded)
    expect([requests.status, terms]).toEqual([{ fault: undefined, active: 0, waiting: 0 }, []])
    has = true
    requests.look()
    await until('it is answered', () => answers.length === 1)
    expect(terms).toEqual([node.term.number])
  })

  it('keep no place while their application is staged by somebody else', async () => {
    const busy = new Set(['a'])
    const run: Run = (task) => (busy.has(task.id) ? Promise.resolve(undefined) : done(task))
    const requests = await start(await open(), run, { maxTasks: 1 })
    await store.tasks.record(['a', 'b'].map(recorded))
    requests.look()
    await until('the next is answered', () => answers.length === 1)
    expect([answered(), requests.status.waiting]).toEqual([['b'], 1])
    busy.clear()
    await until('it is answered', () => answers.length === 2)
  })

  it('are done although the database has not said that they were recorded', async () => {
    const tasks = Object.assign(Object.create(store.tasks) as typeof store.tasks, {
      record: async (...values: Parameters<typeof store.tasks.record>) => {
        await store.tasks.record(...values)
        throw new Error('the connection was lost')
      },
      ...Object.fromEntries(
        (['claim', 'begin', 'progress', 'answer', 'remove', 'release'] as const).map((name) => [
          name,
          (...values: unknown[]) => (store.tasks[name] as (...all: unknown[]) => unknown)(...values),
        ]),
      ),
    })
    await start(await open(), done, { tasks })
    send('a')
    await until('it is answered', () => answers.length === 1)
  })
})
