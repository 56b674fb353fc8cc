import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ExchangeSet, ImportedSet } from '../../daemon/store/exchange-repository.js'
import type { StoreUnderTest } from './namespace-quota.js'
import { packageDraft, resource, stagerDraft } from './samples.js'

/** The contract of daemon/store/exchange-repository.ts; namespace-quota.ts has that of its quotas. */
export function describeExchange(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let { store, close } = {} as StoreUnderTest
    beforeEach(async () => {
      ;({ store, close } = await make())
    })
    afterEach(() => close())

    const acme = (of: string) => ({ namespace: '/acme', name: of })
    const set = (version: string, changes: Partial<ExchangeSet> = {}): ExchangeSet => {
      const stager = stagerDraft('stager', '', { startCommand: version })
      return {
        packages: [packageDraft('program', { resource: resource(), state: 'ready', version, recipe: version })],
        stagers: [{ ...stager, program: acme('program') }],
        pipelines: [{ ...acme('pipe'), stagers: [acme('stager')], signs: [version] }],
        ...changes,
      }
    }
    const outcomes = ({ packages, stagers, pipelines }: ImportedSet) =>
      [...packages, ...stagers, ...pipelines].map(({ outcome }) => outcome)

    it('make what refers to each other, all together', async () => {
      const imported = await store.exchange.import(set('1'), 'refuse')
      expect(outcomes(imported)).toEqual(['made', 'made', 'made'])
      const [program, stager] = [imported.packages[0]!.document, imported.stagers[0]!.document]
      expect(stager).toEqual(await store.stagers.get(acme('stager')))
      expect(stager.packageUuid).toBe(program.uuid)
      expect(await store.pipelines.get(acme('pipe'))).toMatchObject({ stagers: [stager.uuid], signs: ['1'] })
      expect(
        await store.exchange.taken({ packages: [acme('program'), acme('x')], stagers: [], pipelines: [acme('pipe')] }),
      ).toEqual(new Set(['package::/acme::program', 'stagpipe::/acme::pipe']))
    })

    it('make nothing at all where something is taken, and name all of it', async () => {
      await store.exchange.import(set('1'), 'refuse')
      const more = set('2', { packages: [packageDraft('new'), ...set('2').packages] })
      await expect(store.exchange.import(more, 'refuse')).rejects.toMatchObject({
        code: 'already-there',
        message: expect.stringMatching(/program.*stager.*pipe/) as string,
      })
      expect((await store.packages.list({})).map(({ name: one }) => one)).toEqual(['program'])
    })

    it('make nothing at all where a reference leads nowhere', async () => {
      const lost = set('1', { pipelines: [{ ...acme('pipe'), stagers: [acme('nobody')] }] })
      await expect(store.exchange.import(lost, 'override')).rejects.toMatchObject({ code: 'stager-not-found' })
      expect(await store.packages.list({})).toEqual([])
      expect(await store.stagers.list({})).toEqual([])
    })

    it.each([
      ['override', '2', 'replaced'],
      ['skip', '1', 'skipped'],
    ] as const)('%s what is there', async (whenThere, version, outcome) => {
      const before = await store.exchange.import(set('1'), 'refuse')
      const after = await store.exchange.import(set('2'), whenThere)
      expect(outcomes(after)).toEqual([outcome, outcome, outcome])
      const found = await store.packages.get(acme('program'))
      expect(found).toMatchObject({ version, importOrder: before.packages[0]!.document.importOrder })
      expect(await store.stagers.get(acme('stager'))).toMatchObject({
        ...{ startCommand: version, uuid: before.stagers[0]!.document.uuid },
      })
      expect(await store.pipelines.get(acme('pipe'))).toMatchObject({ signs: [version] })
    })

    it('renew what another recipe has made, and leave the rest alone', async () => {
      await store.exchange.import(set('1'), 'refuse')
      expect(outcomes(await store.exchange.import(set('1'), 'renew'))).toEqual(['skipped', 'skipped', 'skipped'])
      expect(await store.exchange.kept([{ ...acme('program'), recipe: '2' }], 'renew')).toEqual(new Set())
      expect(await store.exchange.kept([{ ...acme('program'), recipe: '1' }], 'renew')).toEqual(
        new Set(['package::/acme::program']),
      )
      expect(outcomes(await store.exchange.import(set('2'), 'renew'))).toEqual(['replaced', 'replaced', 'skipped'])
    })
  })
}
