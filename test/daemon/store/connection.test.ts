import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { Connection } from '../../../daemon/store/sqlite/connection.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** The number of objects of `make` that a garbage collection keeps, although nothing else refers to them. */
async function countKept(make: () => object[]): Promise<number> {
  const references = make().map((object) => new WeakRef(object))
  // A WeakRef keeps its object until the end of the task that created it.
  await setImmediate()
  collectGarbage()
  return references.filter((reference) => reference.deref()).length
}

function open(constructor: typeof Database): object[] {
  const connection = new constructor(':memory:')
  return [connection, connection.prepare('SELECT 1')]
}

test('a connection and its statements are never collected, unlike those of better-sqlite3', async () => {
  expect(await countKept(() => open(Database))).toBe(0)
  expect(await countKept(() => open(Connection as typeof Database))).toBe(2)
})

test('a pragma is set, or answers with its value or its rows', () => {
  const connection = new Connection(':memory:')
  expect(connection.pragma('foreign_keys = OFF')).toBeUndefined()
  expect(connection.pragma('foreign_keys', { simple: true })).toBe(0)
  expect(connection.pragma('foreign_keys')).toEqual([{ foreign_keys: 0 }])
  connection.close()
})
