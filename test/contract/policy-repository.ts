import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Conflict, NotFound } from '../../base/errors.js'
import type { PolicyRepository } from '../../daemon/store/repositories.js'

interface PoliciesUnderTest {
  readonly policies: PolicyRepository
  readonly close: () => Promise<void>
}

/** What daemon/store/repositories.ts promises of policy documents. */
export function describePolicyRepository(make: () => Promise<PoliciesUnderTest>): void {
  describe('policy documents', () => {
    let { policies, close } = {} as PoliciesUnderTest
    beforeEach(async () => {
      ;({ policies, close } = await make())
    })
    afterEach(() => close())

    const draft = { namespace: '/acme', name: 'rules', text: 'job::/ { }\n' }

    it('keep every version', async () => {
      const made = await policies.create(draft)
      expect(made).toMatchObject({ ...draft, version: 1 })
      const second = await policies.put({ ...draft, text: 'second' })
      expect(second).toMatchObject({ uuid: made.uuid, text: 'second', version: 2, createdAt: made.createdAt })
      expect(await policies.get({ uuid: made.uuid.toUpperCase() })).toEqual(second)
      expect(await policies.get(draft)).toEqual(second)
      const versions = await policies.versions(made)
      expect(versions.map(({ version, text }) => [version, text])).toEqual([
        [1, draft.text],
        [2, 'second'],
      ])
    })

    it('get no new version from the same text', async () => {
      await policies.put(draft)
      expect(await policies.put(draft)).toMatchObject({ version: 1 })
      await policies.put({ ...draft, text: 'second' })
      expect(await policies.put(draft), 'an earlier text is a new version').toMatchObject({ version: 3 })
    })

    it('have unique names', async () => {
      await policies.create(draft)
      await expect(policies.create(draft)).rejects.toThrow(Conflict)
      await policies.create({ ...draft, namespace: '/other' })
    })

    it('are deleted with all their versions, and start again at version 1', async () => {
      const made = await policies.create(draft)
      await policies.put({ ...draft, text: 'second' })
      await policies.delete(made)
      await expect(policies.get(made)).rejects.toThrow(NotFound)
      await expect(policies.versions(draft)).rejects.toMatchObject({ code: 'policy-not-found' })
      await expect(policies.delete(made)).rejects.toThrow(NotFound)
      expect(await policies.put(draft)).toMatchObject({ version: 1 })
    })

    it('are listed by namespace, in the order of their names', async () => {
      for (const [namespace, name] of [
        ['/acme/web', 'b'],
        ['/acme', 'z'],
        ['/acme', 'a'],
        ['/acme-corp', 'c'],
      ] as const)
        await policies.create({ namespace, name, text: '' })
      const names = async (namespace?: string) =>
        (await policies.list(namespace === undefined ? {} : { namespace })).map(({ name }) => name)
      expect(await names('/acme')).toEqual(['a', 'z', 'b'])
      expect(await names()).toEqual(['a', 'z', 'c', 'b'])
    })

    it('are the same array until something changes', async () => {
      await policies.create(draft)
      const before = await policies.current()
      expect(await policies.current()).toBe(before)
      await policies.put({ ...draft, text: 'second' })
      expect((await policies.current()).map(({ text }) => text)).toEqual(['second'])
      await policies.delete(draft)
      expect(await policies.current()).toEqual([])
      expect(before.map(({ text }) => text)).toEqual([draft.text])
    })
  })
}
