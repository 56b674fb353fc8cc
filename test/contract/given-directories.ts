import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { PreparedContainer } from '../../isolation/isolation.js'
import type { CacheOwner } from '../../isolation/launch-plan.js'
import { launch, planOf, Recorder, type IsolationUnderTest, type Program } from './isolation-under-test.js'

/** The part of the contract of isolation/isolation.ts about the directories that a launch is given: cache and secrets. */
export function describeGivenDirectories(
  opened: () => IsolationUnderTest,
  releaseLater: (made: Pick<PreparedContainer, 'release'>) => void,
): void {
  describe('the cache of a stager', () => {
    const show: Program = {
      shell: 'cat /stager-cache/* 2>/dev/null; true',
      fake: async ({ cache, print }) => {
        for (const text of cache.values()) await print(text)
      },
    }
    const put = (text: string): Program => ({
      shell: `echo ${text} >/stager-cache/file`,
      fake: ({ cache }) => Promise.resolve(void cache.set('file', text)),
    })
    const newCache = (): CacheOwner => ({ packageUuid: randomUUID(), stagerUuid: randomUUID() })
    const outputOf = async (cache: CacheOwner, program: Program, at: 'keep' | 'drop' = 'keep') => {
      const recorder = new Recorder()
      const launched = await launch(opened().isolation, { ...planOf(opened(), program), cache }, recorder)
      releaseLater(launched)
      await launched.running.ended
      expect(await launched.release(at)).toEqual({ failures: [] })
      return recorder.stdout
    }

    it('has what the last launch of the same stager and package has left', async () => {
      const cache = newCache()
      expect(await outputOf(cache, put('one'))).toBe('')
      expect(await outputOf(cache, show)).toBe('one\n')
      expect(await outputOf({ ...cache, packageUuid: randomUUID() }, show)).toBe('')
      expect(await outputOf({ ...cache, stagerUuid: randomUUID() }, show)).toBe('')
    })

    it('does not have what a launch has left that was to be dropped', async () => {
      const cache = newCache()
      await outputOf(cache, put('one'))
      await outputOf(cache, put('two'), 'drop')
      expect(await outputOf(cache, show)).toBe('one\n')
    })

    it('is waited for from the release on, also while nobody knows whether it is kept', async () => {
      const cache = newCache()
      const plan = { ...planOf(opened(), put('one')), cache }
      const { running, release } = await launch(opened().isolation, plan, new Recorder())
      releaseLater({ release })
      await running.finished()
      const released = release(running.ended.then(() => delay(100, 'keep' as const)))
      expect(await outputOf(cache, show)).toBe('one\n')
      expect(await released).toEqual({ failures: [] })
    })

    it('is listed, and empty after it was discarded', async () => {
      const cache = newCache()
      await outputOf(cache, put('one'))
      const listed = async () =>
        (await opened().isolation.stagerCaches()).find(({ packageUuid }) => packageUuid === cache.packageUuid)
      const found = await listed()
      expect(found).toMatchObject({ ...cache, kind: 'cache', inUse: false })
      expect((await opened().isolation.caches([])).map(({ id }) => id)).toContain(found?.id)
      await opened().isolation.discard(found!)
      expect(await listed()).toBeUndefined()
      expect(await outputOf(cache, show)).toBe('')
    })
  })

  describe('secrets', () => {
    const show: Program = {
      shell: 'cd /stager-secrets && for file in *; do [ ! -f "$file" ] || echo "$file=$(cat "$file")"; done',
      fake: async ({ secrets, print }) => {
        for (const [name, text] of secrets) await print(`${name}=${text}`)
      },
    }
    const secrets = new Map([
      ['NPM_TOKEN', Buffer.from('s3cret')],
      ['id_rsa', Buffer.from('a key')],
    ])

    it('are files that the program can read', async () => {
      const recorder = new Recorder()
      const launched = await launch(opened().isolation, { ...planOf(opened(), show), secrets }, recorder)
      releaseLater(launched)
      expect(await launched.running.ended).toEqual({ kind: 'exited', exitCode: 0 })
      expect(recorder.stdout).toBe('NPM_TOKEN=s3cret\nid_rsa=a key\n')
    })

    it('are there for the launch to which they are given, and no other', async () => {
      const recorder = new Recorder()
      const launched = await launch(opened().isolation, planOf(opened(), show), recorder)
      releaseLater(launched)
      expect(await launched.running.ended).toEqual({ kind: 'exited', exitCode: 0 })
      expect(recorder.stdout).toBe('')
    })

    it('can be given to a container that was created ahead', async () => {
      const recorder = new Recorder()
      const plan = planOf(opened(), show)
      const container = await opened().isolation.prepare(plan, recorder, new AbortController().signal)
      releaseLater(container)
      const { command, workingDirectory, limits, coordinatorPort } = plan
      const ahead = { command, workingDirectory, limits, coordinatorPort }
      await container.createAhead(ahead, new AbortController().signal)
      const running = await container.start({ ...plan, secrets }, recorder, new AbortController().signal)
      expect(await running.ended).toEqual({ kind: 'exited', exitCode: 0 })
      expect(recorder.stdout).toBe('NPM_TOKEN=s3cret\nid_rsa=a key\n')
    })
  })
}
