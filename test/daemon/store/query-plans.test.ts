import { createHash } from 'node:crypto'
import path from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Connection } from '../../../daemon/store/sqlite/connection.js'
import { StagerdDatabase } from '../../../daemon/store/sqlite/database.js'
import { call, StagingHarness } from '../../support/staging-harness.js'

/**
 * What a submission and a staging ask the database, they ask an index: a node that has staged a hundred thousand times
 * answers like a new one. Shown by the plans of SQLite for each query that is made; `./scripts/bench reuse` measures it.
 */

let harness: StagingHarness
/** Each statement that was prepared or used. */
let asked: Set<string>

beforeEach(async () => {
  harness = await StagingHarness.open()
  await harness.addPackage('app', { state: 'uploaded' })
  const done = async ({ url }: { readonly url: string }) => void (await call(url, 'POST /done'))
  const upload = async ({ url }: { readonly url: string }) => {
    await call(url, `POST /data?sha256=${createHash('sha256').update('built').digest('hex')}`, 'built')
    await call(url, 'POST /done')
  }
  await harness.addPipeline('pipe', { one: upload, two: upload, three: done })
  harness.start()
  await stage()
  asked = new Set()
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the database
  const { statement } = StagerdDatabase.prototype
  vi.spyOn(StagerdDatabase.prototype, 'statement').mockImplementation(function (this: StagerdDatabase, sql: string) {
    asked.add(sql)
    return statement.call(this, sql)
  })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await harness.close()
})

async function stage(reuse = true) {
  const blob = await harness.parts.blobs.write(Readable.from([Buffer.from('source')]))
  const resource = { uuid: crypto.randomUUID(), ...blob, compression: 'gzip' as const, removals: [] }
  const source = { resource, dependencies: undefined, environment: undefined }
  const { uuid } = await harness.submit('app', 'pipe', { source, reuse })
  return await harness.ended(uuid)
}

/** Tables that are read from end to end, with the queries that do it. */
function scans(): readonly string[] {
  return plans()
    .filter(({ detail }) => isScan(detail))
    .map(({ detail, sql }) => `${detail}: ${sql}`)
}

function plans(): readonly { readonly detail: string; readonly sql: string }[] {
  const database = new Connection(path.join(harness.directory, 'stagerd.db'), { readonly: true })
  const found = [...asked].flatMap((sql) => {
    const values = Array.from(sql.matchAll(/\?/g), () => null)
    const plan = database.prepare<unknown[], { readonly detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...values)
    return plan.map(({ detail }) => ({ detail, sql }))
  })
  database.close()
  return found
}

/** A table with one row, one that is made by the query itself, policies, and the labels of a staging or a node do not grow. */
function isScan(detail: string): boolean {
  return (
    /^SCAN /.test(detail) &&
    !/^SCAN (?:package_changes|policies|lanes|CONSTANT ROW|(?:needed|json_each) VIRTUAL TABLE|\(subquery-\d+\))/.test(
      detail,
    )
  )
}

it('a submission that changes nothing is answered without reading a table', async () => {
  const { reused } = await stage()
  expect(reused).toBeDefined()
  expect(asked.size).toBeGreaterThan(10)
  expect(scans()).toEqual([])
})

it('a staging runs without reading a table', async () => {
  await stage(false)
  expect(asked.size).toBeGreaterThan(20)
  expect(scans()).toEqual([])
})

it('a staging that begins in the middle does not either', async () => {
  await harness.parts.stagers.update({ namespace: '/', name: 'three' }, { environment: { VALUE: '1' } })
  expect((await stage()).takenOver).toMatchObject({ stagers: 2 })
  expect(scans()).toEqual([])
})

it('an admission looks at the oldest queued staging for each set of labels, also where policies limit what may run', async () => {
  const text = 'on quota::/ { running.stagings 40 } on quota::/full { running.stagings 0 }'
  await harness.parts.policies.put({ namespace: '/', name: 'limits', text })
  asked.clear()
  await stage(false)
  const queued = plans().filter(({ detail, sql }) => /\bstagings\b/.test(detail) && sql.includes("state = 'queued'"))
  expect(queued.length).toBeGreaterThan(3)
  for (const { detail } of queued.filter(({ sql }) => sql.includes('lanes')))
    expect(detail).toMatch(/^SEARCH stagings USING (?:COVERING )?INDEX queued_stagings_by_labels/)
  expect(scans()).toEqual([])
})

it('whose a blob is, is known without reading a table', async () => {
  await harness.parts.store.resourceOwners.namespacesOf('a'.repeat(64))
  expect(asked.size).toBe(2)
  expect(scans()).toEqual([])
})

it('the stagings of a node and the queue are counted without reading a table', async () => {
  await harness.parts.store.ledger.counts('a')
  expect(asked.size).toBe(1)
  expect(scans()).toEqual([])
})

it('a scan would be seen', () => {
  asked.add('SELECT 1 FROM stagings WHERE package_fqn = ?')
  expect(scans()).toHaveLength(1)
})
