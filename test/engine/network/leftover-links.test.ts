import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import { bridgeName } from '../../../isolation/host/ownership.js'
import { leftovers } from '../support/leftovers.js'

it('the check of what launches leave finds a bridge without a network of the Engine', async () => {
  const stateDirectory = await mkdtemp(path.join(tmpdir(), 'stagerd-links-'))
  onTestFinished(() => rm(stateDirectory, { recursive: true }))
  const [launch, nodeId] = [randomUUID(), randomUUID()]
  const database = new Database(path.join(stateDirectory, 'stagerd.db'))
  database.exec('CREATE TABLE launches (uuid TEXT)')
  database.prepare('INSERT INTO launches VALUES (?)').run(launch)
  database.close()
  const node = { stateDirectory, nodeId: () => Promise.resolve(nodeId) }
  expect(await leftovers(node)).toEqual([])
  const link = bridgeName(launch)
  await runProcess('ip', ['link', 'add', link, 'type', 'bridge'])
  onTestFinished(async () => void (await runProcess('ip', ['link', 'delete', link])))
  expect(await leftovers(node)).toEqual([`link ${link}`])
})
