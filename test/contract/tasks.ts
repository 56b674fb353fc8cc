import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Term } from '../../daemon/model/node.js'
import type { SqlStore, StoreOptions } from '../../daemon/store/sql/store.js'
import type { OwnedTask, TaskRepository } from '../../daemon/store/task-repository.js'
import { nodeIdentity } from '../support/fleet/node-ledger.js'
import type { StoreUnderTest } from './namespace-quota.js'

const LEASE_MS = 30_000
const LOST = { code: 'lease-lost' }

/** Every change that only the term of a task may make. */
const CHANGES: readonly [string, (tasks: TaskRepository, task: OwnedTask) => Promise<void>][] = [
  ['begin', (tasks, task) => tasks.begin(task)],
  ['progress', (tasks, task) => tasks.progress(task, { log: 'x\n' })],
  ['answer', (tasks, task) => tasks.answer(task, '{}')],
  ['remove', (tasks, task) => tasks.remove(task)],
]

/** The contract of daemon/store/task-repository.ts. */
export function describeTasks(name: string, make: (options?: StoreOptions) => Promise<StoreUnderTest>): void {
  describe(name, () => {
    const request = Buffer.from([0, 1, 255])
    const draft = (id: string) => ({ id, request, reply: undefined, answer: undefined })
    let now: number
    let store: SqlStore
    let tasks: TaskRepository
    let close: () => Promise<void>
    beforeEach(async () => {
      now = Date.now()
      const clock = function* () {
        return new Date(now)
      }
      ;({ store, close } = await make({ now: clock }))
      tasks = store.tasks
    })
    afterEach(() => close())

    const open = () => store.nodes.openTerm(nodeIdentity(), LEASE_MS)
    const claim = async ({ number }: Term, most = Infinity, known: readonly string[] = []) =>
      (await tasks.claim(number, { most, known: new Set(known) })).map(({ id }) => id)

    it('are in the order of their receipt, with all that has become of them, until they are removed', async () => {
      const { number: term } = await open()
      const [recorded, other] = await tasks.record(
        [
          { id: 'b', request, reply: 'inbox', answer: undefined },
          { id: 'a', request: Buffer.alloc(0), reply: undefined, answer: '{}' },
        ],
        term,
      )
      const fresh = { id: 'b', term, reply: 'inbox', begunAt: undefined, uploading: false, log: '', answer: undefined }
      expect([recorded, other]).toMatchObject([fresh, { id: 'a', reply: undefined, answer: '{}' }])
      expect(other!.number).toBeGreaterThan(recorded!.number)
      expect(await tasks.all()).toEqual([recorded, other])
      expect(Buffer.from((await tasks.all())[0]!.request)).toEqual(request)
      await tasks.begin(recorded!)
      await tasks.progress(recorded!, { log: 'one\n' })
      await tasks.progress(recorded!, { uploading: true })
      await tasks.answer(recorded!, '{"task_id":"b"}')
      expect((await tasks.all())[0]).toMatchObject({ uploading: true, log: 'one\n', answer: '{"task_id":"b"}' })
      await tasks.remove(recorded!)
      await tasks.remove(recorded!)
      expect((await tasks.all()).map(({ id }) => id)).toEqual(['a'])
      await expect(tasks.progress(recorded!, { log: '' })).rejects.toMatchObject(LOST)
    })

    it('are recorded all or none', async () => {
      await expect(tasks.record([draft('a'), draft('a')])).rejects.toThrow()
      expect(await tasks.all()).toEqual([])
    })

    it('that no open term has are claimed by one, oldest first, and as many as it asks for', async () => {
      const [one, two] = [await open(), await open()]
      await tasks.record(['a', 'b', 'c'].map(draft), one.number)
      await tasks.record([draft('d')])
      expect(await claim(two)).toEqual(['d'])
      await store.nodes.closeTerm(one)
      expect(await claim(two, 2, ['d'])).toEqual(['a', 'b'])
      expect(await claim(two, 2, ['d', 'a', 'b'])).toEqual(['c'])
      expect(await claim(two, 2, ['d', 'a', 'b', 'c'])).toEqual([])
      expect((await tasks.all()).map(({ term }) => term)).toEqual(Array(4).fill(two.number))
      await tasks.release([{ id: 'a', term: two.number }])
      await expect(claim(one), 'it has ended itself').rejects.toMatchObject(LOST)
    })

    it('that its term has and does not know are claimed again: it may not have been told that they were recorded', async () => {
      const one = await open()
      await tasks.record(['a', 'b'].map(draft), one.number)
      expect(await claim(one, Infinity, ['b'])).toEqual(['a'])
    })

    it('are claimed by one of two terms that ask at once', async () => {
      const terms = [await open(), await open()]
      await tasks.record(['a', 'b', 'c', 'd'].map(draft))
      const claimed = (await Promise.all(terms.map((term) => claim(term)))).flat()
      expect(claimed.toSorted()).toEqual(['a', 'b', 'c', 'd'])
    })

    it.each(CHANGES)('are changed by the term alone that has them: %s', async (_name, change) => {
      const [one, two] = [await open(), await open()]
      const [task] = await tasks.record([draft('a')], one.number)
      await expect(change(tasks, { id: 'a', term: two.number })).rejects.toMatchObject(LOST)
      await expect(change(tasks, { id: 'a', term: undefined })).rejects.toMatchObject(LOST)
      await store.nodes.closeTerm(one)
      await expect(change(tasks, task!), 'it has ended, and nobody has claimed it').rejects.toMatchObject(LOST)
      await claim(two)
      await expect(change(tasks, task!)).rejects.toMatchObject(LOST)
      await tasks.release([task!])
      await change(tasks, { id: 'a', term: two.number })
    })

    it('that are released can be claimed by another term, and count for every node', async () => {
      const [one, two] = [await open(), await open()]
      const [a, b] = await tasks.record(['a', 'b'].map(draft), one.number)
      expect([await tasks.count(one.node), await tasks.count(two.node)]).toEqual([2, 0])
      await tasks.release([a!])
      expect([await tasks.count(one.node), await tasks.count(two.node)]).toEqual([2, 1])
      expect(await claim(two)).toEqual(['a'])
      await tasks.remove(b!)
      expect([await tasks.count(one.node), await tasks.count(two.node)]).toEqual([0, 1])
    })

    it('are begun by the clock of the database, once, whatever the clocks of nodes say', async () => {
      const [one, two] = [await open(), await open()]
      const [task] = await tasks.record([draft('a')], one.number)
      now += 3_600_000
      await tasks.begin(task!)
      await tasks.release([task!])
      now += 60_000
      const [claimed] = await tasks.claim(two.number, { most: 1, known: new Set() })
      const secondsAgo = (Date.now() - Date.parse(claimed!.begunAt!)) / 1000
      expect(secondsAgo).toBeGreaterThanOrEqual(60)
      expect(secondsAgo).toBeLessThan(75)
      await tasks.begin(claimed!)
      expect(Date.parse((await tasks.all())[0]!.begunAt!)).toBeLessThan(Date.now() - 59_000)
    })
  })
}
