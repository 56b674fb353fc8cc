import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { BadInput } from '../../../base/errors.js'
import { Connection } from '../../../daemon/store/sqlite/connection.js'
import { makeDurable, StagerdDatabase } from '../../../daemon/store/sqlite/database.js'
import { migrate } from '../../../daemon/store/sqlite/migrate.js'
import { MIGRATIONS } from '../../../daemon/store/sqlite/migrations.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { packageDraft, resource, stagerSnapshot } from '../../contract/samples.js'
import { compileProgram } from '../../support/compile-program.js'
import { cpuMsOf } from '../../support/cpu-time.js'
import { temporaryDirectory } from './temporary-directory.js'
import { nodeLedgerOf } from '../../support/fleet/node-ledger.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

describe('the database', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let path: string
  beforeEach(async () => {
    directory = await temporaryDirectory()
    path = join(directory.path, 'stagerd.db')
  })
  afterEach(() => directory.remove())

  describe('is migrated', () => {
    it.each(MIGRATIONS.map((_, before) => before))('after the first %d', async (before) => {
      const old = new Connection(path)
      migrate(old, MIGRATIONS.slice(0, before))
      old.close()
      const store = SqliteStore.open(path)
      const app = await store.packages.create(packageDraft('app', { resource: resource() }))
      await store.ledger.submit({ packageUuid: app.uuid, pipelineFqn: 'p', stagers: [stagerSnapshot('s')] })
      store.close()
      const applied = new Connection(path)
      expect(applied.prepare('SELECT version FROM schema_migrations ORDER BY version').pluck().all()).toEqual(
        MIGRATIONS.map((migration) => migration.version),
      )
      applied.close()
    })

    it('completely or not at all', () => {
      const broken = [...MIGRATIONS, { version: 99, name: 'broken', sql: 'CREATE TABLE half (a); CREATE TABEL oops;' }]
      expect(() => StagerdDatabase.open(path, { migrations: broken })).toThrow(/syntax error/)
      const after = new Connection(path)
      expect(after.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").pluck().get()).toBe(0)
      after.close()
      SqliteStore.open(path).close()
    })

    it('unless a newer stagerd has migrated it', () => {
      const newer = [...MIGRATIONS, { version: 99, name: 'future', sql: 'CREATE TABLE future (a)' }]
      StagerdDatabase.open(path, { migrations: newer }).close()
      expect(() => SqliteStore.open(path)).toThrow(BadInput)
      expect(() => SqliteStore.open(path)).toThrow(/version 99.*newer stagerd/)
    })

    it('in numbered steps, in ascending order', () => {
      const versions = MIGRATIONS.map(({ version }) => version)
      expect(versions).toEqual([...new Set(versions)].sort((one, other) => one - other))
      expect(versions[0]).toBe(1)
    })
  })

  it('is not readable by other users', () => {
    SqliteStore.open(path).close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('is not opened if it cannot be durable', () => {
    // A database in memory has no WAL, so the setting has no effect.
    expect(() => makeDurable(new Connection(':memory:'), 0)).toThrow(/journal_mode = memory/)
  })

  it('rejects when another process has locked it', async () => {
    const database = StagerdDatabase.open(path, { busyTimeoutMs: 50 })
    const other = new Connection(path)
    other.exec('BEGIN IMMEDIATE')
    await expect(database.write(() => undefined)).rejects.toMatchObject({
      code: 'database-locked',
      name: 'Unavailable',
    })
    other.exec('ROLLBACK')
    other.close()
    database.close()
  })

  it('keeps nothing of a transaction for which the disk is too full', async () => {
    const store = SqliteStore.open(path)
    const app = await store.packages.create(packageDraft('app', { resource: resource() }))
    const stagers = [stagerSnapshot('s')]
    await store.ledger.submit({ packageUuid: app.uuid, pipelineFqn: 'p', stagers })
    store.close()
    const forger = new Connection(path)
    for (const forgery of [
      `UPDATE packages SET resource = NULL`,
      `UPDATE packages SET state = 'created'`,
      `UPDATE packages SET environment = '{'`,
      `UPDATE stagings SET state = 'failed', ended_at = 'now'`,
      `UPDATE stagings SET state = 'succeeded'`,
      `UPDATE stagings SET state = 'running'`,
      `UPDATE stagings SET step = 1`,
      `UPDATE stagings SET stagers = '[]'`,
      `INSERT INTO stagings (uuid, state, package, package_fqn, package_state_before, pipeline_fqn, stagers, work, submitted_at)
         SELECT 'other', state, package, package_fqn, package_state_before, pipeline_fqn, stagers, work, submitted_at FROM stagings`,
      `INSERT INTO launches (uuid, staging, stager_fqn, step, state, started_at) VALUES ('a', 1, 's', 0, 'done', 'now')`,
      `INSERT INTO launches (uuid, staging, stager_fqn, step, state, started_at)
         VALUES ('a', 1, 's', 0, 'starting', 'now'), ('b', 1, 's', 0, 'running', 'now')`,
      `INSERT INTO launches (uuid, staging, stager_fqn, step, state, started_at) VALUES ('a', 7, 's', 0, 'starting', 'now')`,
    ])
      expect(() => forger.exec(forgery), forgery).toThrow(/constraint failed/)
    forger.close()
  })

  it('admits a staging again that a crash has interrupted', async () => {
    let store = SqliteStore.open(path)
    const app = await store.packages.create(packageDraft('app', { resource: resource() }))
    const { uuid } = await store.ledger.submit({
      packageUuid: app.uuid,
      pipelineFqn: 'p',
      stagers: [stagerSnapshot('s')],
    })
    const before = await nodeLedgerOf(store)
    await before.admitNext()
    const launch = stagerSnapshot('x').uuid
    await before.beginLaunch(uuid, { uuid: launch, stagerFqn: 's', step: 0 })
    store.close()

    store = SqliteStore.open(path)
    const after = await nodeLedgerOf(store)
    const interrupted = await after.admitNext()
    expect(interrupted).toMatchObject({ uuid, step: 0, launches: [{ uuid: launch, state: 'starting' }] })
    expect(await after.takeUpAgain(uuid)).toMatchObject({ state: 'running', interruptions: 1 })
    store.close()
  })

  it('keeps everything that was acknowledged when the process is killed', async () => {
    const installation = await temporaryDirectory()
    onTestFinished(() => installation.remove())
    const program = await compileProgram(here('endless-writer.ts'), installation.path)
    const acknowledged = { packages: new Set<string>(), stagings: new Map<string, string>() }
    for (let round = 0; round < 3; round += 1) {
      const writer = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] })
      const exited = once(writer, 'exit')
      let lines = 0
      for await (const line of createInterface({ input: writer.stdout })) {
        const { package: uuid, staging, state } = JSON.parse(line) as Record<string, string>
        if (uuid !== undefined) acknowledged.packages.add(uuid)
        if (staging !== undefined) acknowledged.stagings.set(staging, state!)
        // Delays of different lengths, so that the kill comes at any step of the writer.
        if ((lines += 1) === 23 + round * 7) writer.kill('SIGKILL')
      }
      await exited
    }

    const order = ['queued', 'running', 'succeeded']
    const store = SqliteStore.open(path)
    for (const uuid of acknowledged.packages) await store.packages.get({ uuid })
    for (const [uuid, state] of acknowledged.stagings) {
      const staging = await store.ledger.get(uuid)
      // The staging may have advanced before the kill, but it never goes back.
      expect(order.indexOf(staging.state)).toBeGreaterThanOrEqual(order.indexOf(state))
      const { state: packageState } = await store.packages.get({ uuid: staging.packageUuid })
      expect(packageState).toBe(staging.state === 'succeeded' ? 'ready' : 'staging')
    }
    store.close()
    const sqlite = new Connection(path)
    expect(sqlite.pragma('integrity_check', { simple: true })).toBe('ok')
    expect(sqlite.pragma('foreign_key_check')).toEqual([])
    sqlite.close()
    expect(acknowledged.stagings.size).toBeGreaterThan(10)
  }, 60_000)

  it('answers fast with a hundred thousand packages', async () => {
    const store = SqliteStore.open(path)
    const first = await store.packages.create(packageDraft('first', { resource: resource(), state: 'ready' }))
    const bulk = new Connection(path)
    bulk.exec(`
      WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
      INSERT INTO packages (import_order, uuid, namespace, name, state, resource, environment, templates, created_at,
          updated_at, revision)
        SELECT i, 'uuid-' || i, '/bulk/' || (i % 100), 'p' || i, 'ready', resource, '{}', '[]', created_at, updated_at, i
        FROM n, packages WHERE import_order = 1;
      INSERT INTO package_provides SELECT import_order, 0, 'package', name FROM packages;
      UPDATE package_changes SET revision = 100000;`)
    bulk.close()

    // Relative to reading all of them, because absolute times depend on the machine.
    const all = await cpuMsOf(() => store.packages.listUsable())
    expect(await store.packages.listUsable()).toHaveLength(100_000)
    expect(await store.packages.list({ provides: 'p77777' })).toMatchObject([{ name: 'p77777' }])
    expect(await cpuMsOf(() => store.packages.list({ provides: 'p12345' }))).toBeLessThan(all / 5)
    expect(await cpuMsOf(() => store.packages.listUsable())).toBeLessThan(all / 5)
    await store.packages.update(first, { environment: { A: '1' } })
    expect(await cpuMsOf(() => store.packages.listUsable())).toBeLessThan(all / 5)
    expect((await store.packages.listUsable())[0]?.environment).toEqual({ A: '1' })
    store.close()
  }, 60_000)
})
