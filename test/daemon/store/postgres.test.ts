import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, test, vi } from 'vitest'
import { Connection } from '../../../daemon/store/sqlite/connection.js'
import { migrate as migrateSqlite } from '../../../daemon/store/sqlite/migrate.js'
import { MIGRATIONS } from '../../../daemon/store/sqlite/migrations.js'
import { assertVersion, PostgresDatabase, type PostgresOptions } from '../../../daemon/store/postgres/database.js'
import { PostgresStore } from '../../../daemon/store/postgres/store.js'
import { PostgresWakeups } from '../../../daemon/store/postgres/wakeups.js'
import type { StoreOptions } from '../../../daemon/store/sql/store.js'
import { sql } from '../../../daemon/store/sql/work.js'
import { packageDraft, resource, stagerSnapshot } from '../../contract/samples.js'
import { describeStore } from '../../contract/store.js'
import { PostgresServer } from './postgres-server.js'
import { nodeIdentity, openLedger } from '../../support/fleet/node-ledger.js'

/** All that needs a PostgreSQL, in one file: there is one server in a run of the tests. */
let server: PostgresServer
let database: PostgresDatabase
let tables: PostgresOptions
let wakeups: PostgresWakeups

beforeAll(async () => {
  server = await PostgresServer.start()
  return () => server.stop()
}, 120_000)
beforeAll(async () => {
  tables = await server.schema()
  database = await PostgresDatabase.open(tables)
  wakeups = await PostgresWakeups.open(tables)
  return async () => {
    await wakeups.close()
    await database.close()
  }
})

const warnings: string[] = []
const warn = ({ message }: Error) => void warnings.push(message)
beforeAll(() => void process.on('warning', warn))
afterAll(() => {
  process.off('warning', warn)
  expect(warnings, 'no connection is asked while it is answering').toEqual([])
})

/** In an order in which nothing refers to what has been deleted. */
const FILLED = [
  ...['webhook_deliveries', 'webhooks', 'stagings', 'nodes', 'pipelines', 'stagers', 'packages', 'policies', 'tokens'],
  ...['bootstraps', 'cloud_foundry_tasks', 'verifications'],
]

/** A store without content. Its connections stay open for the next one. */
async function open(options?: StoreOptions) {
  await database.write(function* () {
    for (const table of FILLED) yield* sql.run(`DELETE FROM ${table}`)
  })
  return { store: new PostgresStore(database, wakeups, options), close: () => Promise.resolve() }
}

describeStore('PostgreSQL', open)

describe('the tables in PostgreSQL', () => {
  const TYPES: Readonly<Record<string, string>> = { INTEGER: 'bigint', TEXT: 'text', BLOB: 'bytea' }

  it('have the columns of those in SQLite', async () => {
    const sqlite = new Connection(':memory:')
    migrateSqlite(sqlite, MIGRATIONS)
    const wanted = sqlite
      .prepare<[], { table: string; name: string; type: string; required: number; key: number }>(
        `SELECT tables.name AS "table", columns.name, columns.type, "notnull" AS required, pk AS key
         FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite%'`,
      )
      .all()
      .map(({ table, name, type, required, key }) =>
        [table, name, TYPES[type], required === 1 || key > 0 ? 'NOT NULL' : ''].join(' '),
      )
    sqlite.close()
    const found = await rows<{ column: string }>(
      `SELECT concat_ws(' ', table_name, column_name, data_type, CASE is_nullable WHEN 'NO' THEN 'NOT NULL' ELSE '' END) AS column
       FROM information_schema.columns WHERE table_schema = current_schema()`,
    )
    expect(found.map(({ column }) => column).sort()).toEqual(wanted.sort())
  })

  it('have the checks and the indexes of those in SQLite', async () => {
    const sqlite = new Connection(':memory:')
    migrateSqlite(sqlite, MIGRATIONS)
    const indexes = sqlite
      .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
      .all()
    const checks = sqlite
      .prepare<[], { name: string; sql: string }>("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
      .all()
      .flatMap(({ name, sql: text }) => Array.from(text.matchAll(/\bCHECK\b/g), () => name))
    sqlite.close()
    const keys = await rows<{ name: string }>(
      `SELECT index.relname AS name FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
       LEFT JOIN pg_constraint ON conindid = indexrelid
       WHERE index.relnamespace = current_schema()::regnamespace AND pg_constraint.oid IS NULL`,
    )
    expect(keys.map(({ name }) => name).sort()).toEqual(indexes.map(({ name }) => name).sort())
    const constraints = await rows<{ name: string }>(
      `SELECT relname AS name FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
       WHERE contype = 'c' AND connamespace = current_schema()::regnamespace`,
    )
    expect(constraints.map(({ name }) => name).sort()).toEqual(checks.sort())
  })

  it('are made once, when several nodes start at once, and are kept by the next one', async () => {
    const empty = await server.schema()
    const nodes = await Promise.all(Array.from({ length: 3 }, () => PostgresStore.open(empty)))
    await nodes[0]!.packages.create(packageDraft('app'))
    for (const node of nodes) await node.close()
    const later = await PostgresStore.open(empty)
    expect(await later.packages.list({})).toMatchObject([{ name: 'app' }])
    await later.close()
  })

  it('are in the order of bytes, as in SQLite, whatever the order of the database is', async () => {
    const { policies } = (await open()).store
    for (const name of ['a', 'B', 'é', 'z']) await policies.create({ namespace: '/', name, text: '' })
    expect((await policies.list({})).map(({ name }) => name)).toEqual(['B', 'a', 'z', 'é'])
  })

  it('of a newer stagerd are refused', async () => {
    const schema = await server.schema()
    const newer = await PostgresDatabase.open(schema)
    await newer.write(() => sql.run("INSERT INTO schema_migrations VALUES (1000, 'later', 'now')"))
    await newer.close()
    await expect(PostgresDatabase.open(schema)).rejects.toMatchObject({ code: 'database-too-new' })
  })
})

describe('a PostgreSQL that does not do is refused, and the way out is named:', () => {
  test('one that is too old', () => {
    expect(() => assertVersion(140_022, '14.22')).toThrow('PostgreSQL 14.22 is too old: stagerd needs 15 or later')
    expect(() => assertVersion(150_000, '15.0')).not.toThrow()
  })

  test('one that does not answer', async () => {
    const nowhere = { host: server.directory, port: 1, user: 'stagerd', database: 'postgres' }
    await expect(PostgresDatabase.open(nowhere)).rejects.toMatchObject({ code: 'database-unreachable' })
  })

  test('one that acknowledges what is not durable', async () => {
    const options = { ...(await server.schema()), options: '-c synchronous_commit=off' }
    await expect(PostgresDatabase.open(options)).rejects.toMatchObject({ code: 'postgresql-not-durable' })
  })

  test('a database without all characters', async () => {
    await rows("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    await expect(PostgresDatabase.open({ ...server.connection(), database: 'latin' })).rejects.toMatchObject({
      code: 'postgresql-encoding',
    })
  })
})

describe('nodes that share a PostgreSQL', () => {
  let nodes: readonly PostgresStore[]
  afterEach(async () => {
    for (const node of nodes) await node.close()
  })
  const start = async (count: number) => {
    const schema = await server.schema()
    nodes = await Promise.all(Array.from({ length: count }, () => PostgresStore.open({ ...schema, max: 4 })))
    return nodes
  }

  it('admit each staging once, whoever submitted it', async () => {
    const [one, two, three] = await start(3)
    const submit = async (node: PostgresStore, name: string) => {
      const { uuid: packageUuid } = await node.packages.create(packageDraft(name, { resource: resource() }))
      return await node.ledger.submit({ packageUuid, pipelineFqn: 'p', stagers: [stagerSnapshot('s')] })
    }
    const submitted = await Promise.all(
      Array.from({ length: 24 }, (_, index) => submit([one!, two!, three!][index % 3]!, `app-${index}`)),
    )
    const admitAll = async (store: PostgresStore) => {
      const ledger = await openLedger(store, nodeIdentity(), 60_000)
      const admitted: string[] = []
      for (;;) {
        const next = await ledger.admitNext()
        if (!next) return admitted
        admitted.push(next.uuid)
      }
    }
    const admitted = (await Promise.all([one!, two!, three!].map(admitAll))).flat()
    expect(admitted.sort()).toEqual(submitted.map(({ uuid }) => uuid).sort())
  })

  it('stage a package once, and say so to all others', async () => {
    const [one, two] = await start(2)
    const { uuid: packageUuid } = await one!.packages.create(packageDraft('app', { resource: resource() }))
    const request = { packageUuid, pipelineFqn: 'p', stagers: [stagerSnapshot('s')] }
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => nodes[i % 2]!.ledger.submit(request)))
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(lost).toHaveLength(7)
    for (const { reason } of lost) expect(reason).toMatchObject({ code: 'package-busy' })
    expect(await two!.ledger.list({})).toHaveLength(1)
  })

  it('give a name once', async () => {
    const [one, two] = await start(2)
    const outcomes = await Promise.allSettled(
      [one!, two!, one!, two!].map(({ packages }) => packages.create(packageDraft('a'))),
    )
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(lost).toHaveLength(3)
    for (const { reason } of lost) expect(reason).toMatchObject({ code: 'package-exists' })
  })

  it('do not pass a quota together', async () => {
    const [one, two] = await start(2)
    const text = 'on quota::/acme { { total.package.size 3000 } }'
    await one!.policies.create({ namespace: '/', name: 'quota', text })
    const create = (node: PostgresStore, name: string) =>
      node.packages.create(packageDraft(name, { resource: resource() }))
    const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd'].map((name, i) => create([one!, two!][i % 2]!, name)))
    // Each has 1234 bytes.
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
    expect(await two!.packages.list({})).toHaveLength(2)
  })

  it('do not pass a limit of running stagings together', async () => {
    const [one, two] = await start(2)
    await one!.policies.create({ namespace: '/', name: 'limit', text: 'on quota::/ { running.stagings 3 }' })
    for (let n = 0; n < 8; n++) {
      const { uuid: packageUuid } = await one!.packages.create(packageDraft(`app-${n}`, { resource: resource() }))
      await one!.ledger.submit({ packageUuid, pipelineFqn: 'p', stagers: [stagerSnapshot('s')] })
    }
    const ledgers = await Promise.all([one!, two!].map((node) => openLedger(node, nodeIdentity(), 60_000)))
    const admitted = await Promise.all(Array.from({ length: 8 }, (_, n) => ledgers[n % 2]!.admitNext()))
    expect(admitted.filter((staging) => staging !== undefined)).toHaveLength(3)
  })

  it('see the packages and policies that another one has changed', async () => {
    const [one, two] = await start(2)
    const names = async () => (await two!.packages.listUsable()).map(({ name }) => name)
    const made = await one!.packages.create(packageDraft('a', { resource: resource(), state: 'ready' }))
    expect(await names()).toEqual(['a'])
    await one!.packages.update(made, { name: 'b' })
    expect(await names()).toEqual(['b'])
    await one!.packages.delete(made)
    expect(await names()).toEqual([])
    await one!.policies.put({ namespace: '/', name: 'p', text: 'first' })
    const before = await two!.policies.current()
    expect(before.map(({ text }) => text)).toEqual(['first'])
    expect(await two!.policies.current()).toBe(before)
    await one!.policies.put({ namespace: '/', name: 'p', text: 'second' })
    expect((await two!.policies.current()).map(({ text }) => text)).toEqual(['second'])
  })

  it('store any text that JSON can say, and find what is beside it', async () => {
    const [one] = await start(1)
    const environment = { A: '\u0000', B: '\ud800', C: '\\ud800', D: '😀' }
    const { uuid } = await one!.packages.create({ ...packageDraft('app'), environment, resource: resource() })
    expect((await one!.packages.get({ uuid })).environment).toEqual(environment)
    const source = { resource: resource({ sha256: 'e'.repeat(64) }), dependencies: [], environment }
    await one!.ledger.submit({ packageUuid: uuid, pipelineFqn: 'p', stagers: [stagerSnapshot('s')], source })
    expect(await one!.references.refersTo('e'.repeat(64))).toBe(true)
    expect(await one!.resourceOwners.namespacesOf('e'.repeat(64))).toEqual(['/acme'])
    const nul = one!.packages.create(packageDraft('b', { description: 'a\u0000b' }))
    await expect(nul).rejects.toMatchObject({ code: 'invalid-text' })
  })
})

describe('a transaction in PostgreSQL', () => {
  it('is not committed in silence after a statement that has failed', async () => {
    const going = database.write(function* () {
      try {
        yield* sql.run('SELECT 1 / 0')
      } catch {
        // It goes on, and PostgreSQL does not.
      }
    })
    await expect(going).rejects.toMatchObject({ code: 'database-failed' })
  })

  it('is run again when it has met another one, and the checks before its end with it', async () => {
    const seen: number[] = []
    const counted = () =>
      database.write(function* () {
        const row = yield* sql.one<{ deletions: number }>('SELECT deletions FROM package_changes')
        yield* sql.beforeCommit('count', function* () {
          yield* sql.run('UPDATE package_changes SET deletions = ?', (row?.deletions ?? 0) + 1)
        })
        seen.push(row?.deletions ?? 0)
      })
    const before = await rows<{ deletions: string }>('SELECT deletions FROM package_changes')
    await Promise.all(Array.from({ length: 8 }, counted))
    const after = await rows<{ deletions: string }>('SELECT deletions FROM package_changes')
    expect(Number(after[0]?.deletions) - Number(before[0]?.deletions)).toBe(8)
    expect(seen.length, 'some ran more than once').toBeGreaterThan(8)
  })

  it('does not wait for ever for a server that does not answer', async () => {
    const impatient = await PostgresDatabase.open({ ...tables, query_timeout: 200 })
    await expect(impatient.read(() => sql.one('SELECT pg_sleep(60)'))).rejects.toMatchObject({
      code: 'database-unreachable',
    })
    expect(await impatient.read(() => sql.one('SELECT 1 AS one'))).toEqual({ one: 1 })
    await impatient.close()
  })

  it('sends nothing behind a statement that was not answered in time: its connection is closed at once', async () => {
    const impatient = await PostgresDatabase.open({ ...tables, query_timeout: 200, max: 1 })
    const sent = vi.spyOn(pg.Client.prototype, 'query')
    await impatient.read(() => sql.one("SELECT pg_sleep(60), 'hangs'")).catch(() => undefined)
    const texts = (sent.mock.calls as unknown[][]).map(([query]) => JSON.stringify(query))
    sent.mockRestore()
    expect(texts.at(-1)).toContain("'hangs'")
    expect(await impatient.read(() => sql.one('SELECT 1 AS one')), 'with another connection').toEqual({ one: 1 })
    await impatient.close()
  })

  it('ends with its connection, and nothing else does', async () => {
    const going = database.read(() => sql.one("SELECT pg_sleep(60), 'to be broken'"))
    const broken = expect(going).rejects.toMatchObject({ code: 'database-unreachable' })
    const breaking =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%to be broken%' AND pid <> pg_backend_pid()"
    await expect.poll(() => rows(breaking)).toHaveLength(1)
    await broken
    expect(await database.read(() => sql.one('SELECT 1 AS one'))).toEqual({ one: 1 })
  })

  it('goes on when another node has changed a table, and when the server has closed the connection', async () => {
    const schema = await server.schema()
    const store = await PostgresStore.open({ ...schema, max: 1 })
    const made = await store.packages.create(packageDraft('app'))
    const other = await PostgresDatabase.open(schema)
    await other.write(() => sql.run('ALTER TABLE packages ADD COLUMN later TEXT'))
    expect(await store.packages.get(made)).toEqual(made)
    await other.read(() =>
      sql.all('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()'),
    )
    await expect.poll(() => store.packages.get(made).catch(() => undefined)).toEqual(made)
    for (const each of [store, other]) await each.close()
  })
})

/** Asks the server itself, where the tables of the contract suites are. */
async function rows<Row extends object>(text: string): Promise<readonly Row[]> {
  const client = new pg.Client(tables)
  await client.connect()
  const { rows: found } = await client.query<Row>(text)
  await client.end()
  return found
}
