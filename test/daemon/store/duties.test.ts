import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Unavailable } from '../../../base/errors.js'
import { OwnDuties } from '../../../daemon/store/duties.js'
import { SqlDuties } from '../../../daemon/store/sql/duties.js'
import { SqlNodes } from '../../../daemon/store/sql/nodes.js'
import type { Transactions } from '../../../daemon/store/sql/work.js'
import { StagerdDatabase } from '../../../daemon/store/sqlite/database.js'
import { SQLITE } from '../../../daemon/store/sqlite/dialect.js'
import { SqliteTransactions } from '../../../daemon/store/sqlite/transactions.js'
import { describeDuties } from '../../contract/duties.js'
import { nodeIdentity } from '../../support/fleet/node-ledger.js'
import { temporaryDirectory } from './temporary-directory.js'

// Those in a database: test/contract/store.ts.
describeDuties('OwnDuties', () => Promise.resolve({ own: new OwnDuties() }))

/** Two nodes, the first of which reaches the database only while `away` is false. */
async function open() {
  const directory = await temporaryDirectory()
  const database = StagerdDatabase.open(join(directory.path, 'stagerd.db'))
  onTestFinished(async () => {
    database.close()
    await directory.remove()
  })
  const transactions = new SqliteTransactions(database)
  const state = { away: false, attempts: 0 }
  const unsteady: Transactions = {
    read: (work, self) => transactions.read(work, self),
    write: (work, self) => {
      state.attempts += 1
      return state.away
        ? Promise.reject(new Unavailable('database-unreachable', 'The database is away.'))
        : transactions.write(work, self)
    },
  }
  const nodes = new SqlNodes(transactions, SQLITE)
  const node = async (through: Transactions) => {
    const lost = new AbortController()
    const { number } = await nodes.openTerm(nodeIdentity(), 30_000)
    return { lost, duties: new SqlDuties(through, () => ({ number, lost: lost.signal })) }
  }
  return { state, one: await node(unsteady), two: await node(transactions) }
}

it('a duty is given back as soon as the database answers, and no sooner is it done', async () => {
  const { state, one, two } = await open()
  const done = one.duties.run('garbage', () => {
    state.away = true
    return Promise.resolve(1)
  })
  await expect.poll(() => state.attempts).toBeGreaterThan(1)
  expect(await two.duties.run('garbage', () => Promise.resolve(2))).toBeUndefined()
  state.away = false
  expect(await done).toEqual({ result: 1 })
  expect(await two.duties.run('garbage', () => Promise.resolve(2))).toEqual({ result: 2 })
})

it('a duty is not given back by a node that has lost its term meanwhile, nor does it wait for the database', async () => {
  const { state, one } = await open()
  const done = one.duties.run('garbage', () => {
    state.away = true
    return Promise.resolve(1)
  })
  await expect.poll(() => state.attempts).toBeGreaterThan(1)
  one.lost.abort()
  expect(await done).toEqual({ result: 1 })
})

it('who asks for a duty while the database is away is told so, also by a node without a term', async () => {
  const { state, one } = await open()
  state.away = true
  one.lost.abort()
  await expect(one.duties.run('garbage', () => Promise.resolve(1))).rejects.toMatchObject({
    code: 'database-unreachable',
  })
})
