import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import { bridgeName } from '../../../isolation/host/ownership.js'
import { leftovers } from '../support/leftovers.js'

it('the check of what launches leave finds a bridge without a network of the Engine', async () => {
  const stateDirectory = await mkdtemp(path.join(tmpdir(), 'stagerd-links-'))
  onTestFinished(() => rm(stateDirectory, { recursive: true }))
  const nodeId = randomUUID()
  const node = { stateDirectory, nodeId: () => Promise.resolve(nodeId), isRunning: true }
  expect(await leftovers(node)).toEqual([])
  const link = bridgeName({ nodeId }, randomUUID())
  await runProcess('ip', ['link', 'add', link, 'type', 'bridge'])
  onTestFinished(async () => void (await runProcess('ip', ['link', 'delete', link])))
  expect(await leftovers(node)).toEqual([`link ${link}`])
})
