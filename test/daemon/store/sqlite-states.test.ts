import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { LAUNCH_STATES, OPEN_LAUNCH_STATES, OPEN_STATES, STAGING_STATES } from '../../../daemon/model/staging.js'
import { PACKAGE_STATES } from '../../../daemon/packages/package.js'
import { CAPABILITY_TYPES } from '../../../daemon/packages/metadata.js'
import { Connection } from '../../../daemon/store/sqlite/connection.js'
import { migrate } from '../../../daemon/store/sqlite/migrate.js'
import { MIGRATIONS } from '../../../daemon/store/sqlite/migrations.js'

// A migration is text that never changes, so the compiler cannot compare it with the lists of the model.
test.each([
  ['packages', 'state', PACKAGE_STATES],
  ['stagings', 'state', STAGING_STATES],
  ['launches', 'state', LAUNCH_STATES],
  ['package_provides', 'type', CAPABILITY_TYPES],
] as const)('the database accepts in %s.%s what the model declares, and nothing else', (table, column, declared) => {
  expect(checkedValues(table, column).sort()).toEqual([...declared].sort())
})

test.each([
  ['one_staging_for_a_package', OPEN_STATES],
  ['one_open_launch_for_a_staging', OPEN_LAUNCH_STATES],
] as const)('the index %s covers the states that the model calls open', (index, declared) => {
  const [, list = ''] = /WHERE state IN \(([^)]*)\)/.exec(sqlOf('index', index)) ?? []
  expect(quotedIn(list).sort()).toEqual([...declared].sort())
})

// Such a text would stay as it is when the lists of the model change.
test('no query writes a state out as text', async () => {
  const directory = new URL('../../../daemon/store/', import.meta.url)
  const files = (await readdir(directory, { recursive: true })).filter((name) =>
    /^(?:sql|sqlite)\/[^/]+\.ts$/.test(name),
  )
  expect(files).toEqual(expect.arrayContaining(['sql/ledger.ts', 'sqlite/backups.ts']))
  for (const file of files) {
    const text = await readFile(new URL(file, directory), 'utf8')
    expect(text.match(/state (?:=|<>|IN) \(?'.*/g), file).toBeNull()
  }
})

/** The values that the CHECK of a column allows. */
function checkedValues(table: string, column: string): string[] {
  const [, list = ''] =
    new RegExp(`\\b${column} +TEXT NOT NULL CHECK \\(${column} IN \\(([^)]*)\\)`).exec(sqlOf('table', table)) ?? []
  return quotedIn(list)
}

function sqlOf(type: 'table' | 'index', name: string): string {
  const database = new Connection(':memory:')
  migrate(database, MIGRATIONS)
  const row = database
    .prepare<[string, string], { sql: string }>('SELECT sql FROM sqlite_schema WHERE type = ? AND name = ?')
    .get(type, name)
  return row?.sql ?? ''
}

function quotedIn(list: string): string[] {
  return [...list.matchAll(/'([^']*)'/g)].map(([, value = '']) => value)
}
