import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { OpenImage } from '../../isolation/image.js'
import { filesOf, type IsolationUnderTest } from './isolation-under-test.js'

/** The part of the contract of isolation/isolation.ts about images that are read. */
export function describeImages(opened: () => IsolationUnderTest): void {
  describe('an image', () => {
    const FILES = { '/srv/kept': 'kept\n', '/srv/out/not': 'no\n' }
    const read = async <T>(reference: string, use: (image: OpenImage) => Promise<T>, leaveOut: string[] = []) =>
      await opened().isolation.readImage(
        { id: randomUUID(), reference, leaveOut },
        {},
        use,
        new AbortController().signal,
      )

    it('is read as a tree with its configuration, without excluded paths', async () => {
      const reference = await opened().image(FILES, 'GREETING=hello')
      const { files, config } = await read(
        reference,
        async ({ archive, config }) => ({ files: await filesOf(archive), config }),
        ['/srv/out'],
      )
      expect(files).toEqual({ 'srv/kept': 'kept\n' })
      expect(config.environment).toContain('GREETING=hello')
      expect(await opened().traces()).toEqual([])
    })

    it('leaves nothing behind when the reader fails', async () => {
      const reference = await opened().image(FILES, 'A=b')
      await expect(read(reference, () => Promise.reject(new Error('too large for me')))).rejects.toThrow(
        'too large for me',
      )
      expect(await opened().traces()).toEqual([])
    })

    it('has a container while it is read, which a sweep removes if it is not live', async () => {
      const reference = await opened().image(FILES, 'A=b')
      const id = randomUUID()
      const use = async () => {
        expect((await opened().isolation.sweep(new Set([id]))).removed).toEqual([])
        expect(await opened().traces()).not.toEqual([])
        expect((await opened().isolation.sweep(new Set())).removed).toHaveLength(1)
        expect(await opened().traces()).toEqual([])
      }
      await opened().isolation.readImage({ id, reference, leaveOut: [] }, {}, use, new AbortController().signal)
    })

    it('is not read when the signal is already aborted', async () => {
      const reference = await opened().image(FILES, 'A=b')
      const plan = { id: randomUUID(), reference, leaveOut: [] }
      const cancelled = AbortSignal.abort(new Error('changed my mind'))
      const reading = opened().isolation.readImage(plan, {}, () => Promise.resolve(), cancelled)
      await expect(reading).rejects.toThrow('changed my mind')
      expect(await opened().traces()).toEqual([])
    })
  })
}
