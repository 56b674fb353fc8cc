import { describe, expect, it } from 'vitest'
import type { Verification } from '../../daemon/store/verification-repository.js'
import type { StoreUnderTest } from './namespace-quota.js'

/** The contract of daemon/store/verification-repository.ts. */
export function describeVerifications(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    it('are kept until they are replaced or forgotten', async () => {
      const { store, close } = await make()
      const { verifications } = store
      const blob: Verification = { kind: 'blob', id: 'a', at: new Date('2026-01-01T00:00:00.123Z'), damaged: undefined }
      const layer: Verification = { ...blob, kind: 'layer', damaged: 'a file is missing' }
      const sorted = async () => (await verifications.all()).toSorted((a, b) => (a.kind < b.kind ? -1 : 1))
      await verifications.record([blob, layer], [])
      expect(await sorted()).toEqual([blob, layer])
      const later = { ...blob, at: new Date('2026-01-02T00:00:00.000Z'), damaged: 'state' }
      await verifications.record([later], [{ kind: 'blob', id: 'other' }])
      expect(await sorted()).toEqual([later, layer])
      await verifications.record([{ ...later, damaged: undefined }], [layer])
      expect(await sorted()).toEqual([{ ...later, damaged: undefined }])
      await close()
    })
  })
}
