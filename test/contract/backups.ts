import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SqliteStore } from '../../daemon/store/sqlite/store.js'
import type { SqlStore, StoreOptions } from '../../daemon/store/sql/store.js'
import { ledgerSamples } from '../daemon/metrics/ledger-samples.js'
import { nodeLedgerOf } from '../support/fleet/node-ledger.js'
import type { StoreUnderTest } from './namespace-quota.js'
import { packageDraft, resource, stagerDraft, stagerSnapshot } from './samples.js'

const PIPELINE = 'stagpipe::/acme::pipe'

/** The contract of daemon/store/backup-repository.ts: what is in a backup, whatever database it is of, and restored to. */
export function describeBackups(name: string, make: (options: StoreOptions) => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let { store, close } = {} as StoreUnderTest
    let directory: string
    beforeEach(async () => {
      ;({ store, close } = await make({ packageBytes: 2 ** 50 }))
      directory = await mkdtemp(path.join(tmpdir(), 'stagerd-backups-'))
    })
    afterEach(async () => {
      await close()
      await rm(directory, { recursive: true })
    })
    const file = (of = 'stagerd.db') => path.join(directory, of)

    it('have all that was there, and are restored to the other database and back', async () => {
      await fill(store)
      const before = await contentOf(store)
      const digests = await store.backups.copyTo(file())
      expect(digests).toEqual(expect.arrayContaining(['a'.repeat(64), 'b'.repeat(64)]))

      const single = SqliteStore.open(file('single.db'), 2 ** 50)
      await single.backups.replaceBy(file(), false)
      expect(await contentOf(single)).toEqual(before)
      await single.packages.create(packageDraft('later', { resource: resource({ sha256: 'e'.repeat(64) }) }))
      const changed = await contentOf(single)
      expect(await single.backups.copyTo(file('back.db'))).toEqual(expect.arrayContaining(['e'.repeat(64)]))
      single.close()

      await expect(store.backups.replaceBy(file('back.db'), false)).rejects.toMatchObject({ code: 'store-not-empty' })
      expect(await contentOf(store)).toEqual(before)
      const restored = await store.backups.replaceBy(file('back.db'), true)
      expect(restored).toMatchObject({ packages: changed.packages.length, stagers: 1, pipelines: 1 })
      expect(await contentOf(store)).toEqual(changed)
    })

    it('leave secrets and the files of the node out, and cancel what waits for a source of this node', async () => {
      const { packages, stagers, ledger, secrets, verifications, tasks } = store
      const { uuid: packageUuid } = await packages.create(packageDraft('app', { resource: resource(), state: 'ready' }))
      const { uuid: stagerUuid } = await stagers.create(stagerDraft('s', packageUuid))
      await secrets.put({ stagerUuid, name: 'KEY', sealed: Buffer.from('sealed-of-the-stager') })
      const request = { packageUuid, pipelineFqn: PIPELINE, stagers: [stagerSnapshot('s')] }
      const { uuid } = await ledger.submit({
        ...{ ...request, awaitsSource: true },
        secrets: { names: ['A'], sealed: Buffer.from('sealed-of-the-staging') },
      })
      await verifications.record([{ kind: 'blob', id: 'digest-of-a-blob', at: new Date(), damaged: undefined }], [])
      await tasks.record([{ id: 't', request: Buffer.from('sealed-request'), reply: undefined, answer: undefined }])
      await store.backups.copyTo(file())
      expect(await readFile(file(), 'latin1')).not.toMatch(/sealed-|digest-of-a-blob/)
      await store.backups.replaceBy(file(), true)
      expect(await secrets.ofStagers([stagerUuid])).toEqual([])
      expect(await verifications.all(), 'of the files that are still there').toHaveLength(1)
      expect(await tasks.all()).toEqual([])
      expect((await ledger.get(uuid)).state).toBe('cancelled')
      expect((await packages.get({ uuid: packageUuid })).state).toBe('ready')
    })

    it('are restored only where nothing is under way', async () => {
      await store.backups.copyTo(file())
      await store.backups.assertReplaceable(false)
      await ledgerSamples(store, () => undefined).submit(PIPELINE)
      await expect(store.backups.assertReplaceable(false)).rejects.toMatchObject({ code: 'store-not-empty' })
      await store.backups.assertReplaceable(true)
      await (await nodeLedgerOf(store)).admitNext()
      await expect(store.backups.assertReplaceable(true)).rejects.toMatchObject({ code: 'node-busy' })
      await expect(store.backups.replaceBy(file(), true)).rejects.toMatchObject({ code: 'node-busy' })
      expect(await store.ledger.list({ state: 'running' })).toHaveLength(1)
    })

    it('give no number again that was in use, and what is made next comes last', async () => {
      await fill(store)
      const deleted = await store.packages.create(packageDraft('deleted'))
      await store.packages.delete({ uuid: deleted.uuid })
      await store.backups.copyTo(file())
      await store.backups.replaceBy(file(), true)
      const next = await store.packages.create(packageDraft('next'))
      expect(next.importOrder).toBeGreaterThan(deleted.importOrder)
      expect((await store.packages.list({})).at(-1)?.name).toBe('next')
      const usable = await store.packages.listUsable()
      await store.packages.create(packageDraft('ready', { resource: resource(), state: 'ready' }))
      expect((await store.packages.listUsable()).map((one) => one.name)).toEqual([
        ...usable.map((one) => one.name),
        'ready',
      ])
    })

    it('that are none are refused, and change nothing', async () => {
      await fill(store)
      const before = await contentOf(store)
      await writeFile(file('none.db'), 'no database at all')
      await expect(store.backups.replaceBy(file('none.db'), true)).rejects.toMatchObject({ code: 'bad-backup' })
      expect(await contentOf(store)).toEqual(before)
    })
  })
}

/** Something of everything that a backup has, with texts that databases could take amiss. */
export async function fill(store: SqlStore): Promise<void> {
  const { packages, stagers, pipelines, policies, bootstraps, tokens, webhooks } = store
  const environment = { NUL: '\u0000', HALF: '\ud800', QUOTES: `'"\\`, SMILE: '\u{1f600}' }
  const program = await packages.create(
    packageDraft('program', {
      ...{ environment, resource: resource({ sha256: 'b'.repeat(64), length: 2 ** 40 }), state: 'ready' },
      ...{ provides: [{ type: 'runtime', name: 'r' }], dependencies: [{ type: 'os', name: 'linux' }], version: '1' },
    }),
  )
  const stager = await stagers.create(stagerDraft('stager', program.uuid))
  await pipelines.create({ namespace: '/acme', name: 'pipe', stagers: [stager.uuid, stager.uuid] })
  await policies.put({ namespace: '/', name: 'rules', text: 'on quota::/other { { total.package.size 3000 } }' })
  await policies.put({
    namespace: '/',
    name: 'rules',
    text: '# "\\ é\non quota::/other {\n{ total.package.size 4000 } }',
  })
  await bootstraps.save({
    ...(await bootstraps.begin(['all'])),
    state: 'succeeded',
    endedAt: '2026-01-01T00:00:00.000Z',
  })
  const expiresAt = '2030-01-01T00:00:00.000Z'
  await tokens.create({ name: 't', access: 'read', namespaces: ['/'], createdAt: expiresAt, expiresAt }, 'hash')
  const receiver = { uuid: randomUUID(), url: 'https://example.org/', sealed: 'sealed' }
  await webhooks.create({ ...receiver, namespace: '/', on: ['failed'], createdAt: expiresAt })
  await ledgerSamples(store, () => undefined, { notify: [{ ...receiver, uuid: randomUUID() }] }).succeed(PIPELINE)
  const samples = ledgerSamples(store, () => undefined)
  await samples.succeed(PIPELINE)
  await samples.fail(PIPELINE, 'timeout')
  await samples.submit(PIPELINE)
}

export async function contentOf(store: SqlStore) {
  // Terms are those of the nodes of a database.
  const stagings = (await store.ledger.list({})).map((one) => ({ ...one, term: undefined }))
  const packages = await store.packages.list({})
  return {
    packages,
    stagings,
    usable: await store.packages.listUsable(),
    histories: await Promise.all(packages.map(({ uuid }) => store.results.history({ uuid }))),
    stagers: await store.stagers.list({}),
    pipelines: await store.pipelines.list({}),
    policies: await store.policies.versions({ namespace: '/', name: 'rules' }),
    bootstraps: await store.bootstraps.list(10),
    tokens: await store.tokens.list(),
    webhooks: await store.webhooks.list(),
    ofCalls: await Promise.all(stagings.map(({ uuid }) => store.webhooks.list(uuid))),
    deliveries: await store.webhooks.due(new Date('2100-01-01'), 100),
  }
}
