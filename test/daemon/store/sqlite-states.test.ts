import { expect, test } from 'vitest'
import { LAUNCH_STATES, STAGING_STATES } from '../../../daemon/model/staging.js'
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

/** The values that the CHECK of a column allows. */
function checkedValues(table: string, column: string): string[] {
  const database = new Connection(':memory:')
  migrate(database, MIGRATIONS)
  const row = database
    .prepare<[string], { sql: string }>(`SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?`)
    .get(table)
  const list =
    new RegExp(`\\b${column} +TEXT NOT NULL CHECK \\(${column} IN \\(([^)]*)\\)`).exec(row?.sql ?? '')?.[1] ?? ''
  return [...list.matchAll(/'([^']*)'/g)].map(([, value = '']) => value)
}
