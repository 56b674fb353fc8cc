import { describe, expect, it } from 'vitest'
import type { StoreUnderTest } from './namespace-quota.js'

/** The contract of daemon/store/task-repository.ts. */
export function describeTasks(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    const request = Buffer.from([0, 1, 255])

    it('are in the order of their receipt, with all that has become of them, until they are removed', async () => {
      const { store, close } = await make()
      const { tasks } = store
      await tasks.record([
        { id: 'b', request, reply: 'inbox', answer: undefined },
        { id: 'a', request: Buffer.alloc(0), reply: undefined, answer: '{}' },
      ])
      const [b, a] = await tasks.all()
      expect(b).toMatchObject({
        id: 'b',
        reply: 'inbox',
        begunAt: undefined,
        uploading: false,
        log: '',
        answer: undefined,
      })
      expect(Buffer.from(b!.request)).toEqual(request)
      expect(a).toMatchObject({ id: 'a', reply: undefined, answer: '{}' })
      await tasks.progress('b', { begunAt: '2026-01-01T00:00:00.000Z', log: 'one\n' })
      await tasks.progress('b', { uploading: true })
      await tasks.answer('b', '{"task_id":"b"}')
      expect((await tasks.all())[0]).toMatchObject({
        ...{ begunAt: '2026-01-01T00:00:00.000Z', uploading: true, log: 'one\n', answer: '{"task_id":"b"}' },
      })
      await tasks.remove('b')
      await tasks.remove('b')
      expect((await tasks.all()).map(({ id }) => id)).toEqual(['a'])
      const gone = { code: 'task-not-found' }
      await expect(tasks.progress('b', { log: '' })).rejects.toMatchObject(gone)
      await expect(tasks.answer('b', '')).rejects.toMatchObject(gone)
      await close()
    })

    it('are recorded all or none', async () => {
      const { store, close } = await make()
      const task = (id: string) => ({ id, request, reply: undefined, answer: undefined })
      await expect(store.tasks.record([task('a'), task('a')])).rejects.toThrow()
      expect(await store.tasks.all()).toEqual([])
      await close()
    })
  })
}
