import { describe, expect, it } from 'vitest'
import type { StoreUnderTest } from './namespace-quota.js'

/** The contract of daemon/store/token-repository.ts. */
export function describeTokens(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    it('are found by their hash and listed by name, until they are deleted', async () => {
      const { store, close } = await make()
      const { tokens } = store
      const token = (of: string) => ({
        ...{ name: of, access: 'write' as const, namespaces: ['/acme', '/b'] },
        ...{ createdAt: '2026-01-01T00:00:00.000Z', expiresAt: '2020-01-01T00:00:00.000Z' },
      })
      const second = await tokens.create(token('second'), 'h2')
      const first = await tokens.create(token('First'), 'h1')
      expect(second).toMatchObject(token('second'))
      await expect(tokens.create(token('second'), 'h3')).rejects.toMatchObject({ code: 'token-exists' })
      expect(await tokens.find('h1')).toEqual(first)
      expect(await tokens.find('h3')).toBeUndefined()
      expect(await tokens.get(first.uuid)).toEqual(first)
      expect(await tokens.list()).toEqual([first, second])
      expect(await tokens.delete('First')).toEqual(first)
      await expect(tokens.delete('First')).rejects.toMatchObject({ code: 'token-not-found' })
      expect(await tokens.find('h1')).toBeUndefined()
      expect(await tokens.get(first.uuid)).toBeUndefined()
      expect(await tokens.list()).toEqual([second])
      await close()
    })
  })
}
