import { describe, expect, it } from 'vitest'
import type { StoreUnderTest } from './namespace-quota.js'

/** The contract of daemon/store/bootstrap-repository.ts. */
export function describeBootstraps(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    it('run one at a time, and are listed newest first', async () => {
      const { store, close } = await make()
      const { bootstraps } = store
      const first = await bootstraps.begin(['nodejs'])
      expect(first).toMatchObject({ state: 'running', pipelines: ['nodejs'], items: [], endedAt: undefined })
      await expect(bootstraps.begin([])).rejects.toMatchObject({ code: 'bootstrap-running' })
      const item = { name: 'package::/::a', state: 'failed', staging: undefined, message: 'It failed.' } as const
      const ended = { ...first, state: 'failed', items: [item], message: 'No.', endedAt: first.startedAt } as const
      await bootstraps.save(ended)
      expect(await bootstraps.get(first.uuid)).toEqual(ended)
      const second = await bootstraps.begin([])
      expect(await bootstraps.list(5)).toEqual([second, ended])
      expect(await bootstraps.list(1)).toEqual([second])
      const nobody = bootstraps.get('00000000-0000-4000-8000-000000000000')
      await expect(nobody).rejects.toMatchObject({ code: 'bootstrap-not-found' })
      await close()
    })

    it('run one at a time, whoever begins them at once', async () => {
      const { store, close } = await make()
      const begun = await Promise.allSettled([1, 2, 3].map(() => store.bootstraps.begin([])))
      expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(await store.bootstraps.list(5)).toHaveLength(1)
      await close()
    })
  })
}
