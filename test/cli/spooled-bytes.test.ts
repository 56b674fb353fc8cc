import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SpooledBytes } from '../../cli/pack/spooled-bytes.js'
import { collect } from '../support/collect.js'
import { makeWorkspace } from './support/workspace.js'

let root: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ root, remove } = await makeWorkspace())
})
afterEach(() => remove())

test.each([
  ['in memory', 100],
  ['in a file', 100_000],
])('bytes are read again %s', async (_where, length) => {
  const spooled = new SpooledBytes({ TMPDIR: root })
  const [first, second] = [randomBytes(length), randomBytes(length)]
  await spooled.append(first)
  await spooled.append(second)
  expect(spooled.length).toBe(2 * length)
  expect(await spooled.read(length - 10, 20)).toEqual(Buffer.concat([first.subarray(-10), second.subarray(0, 10)]))
  expect(await collect(spooled.chunks())).toEqual(Buffer.concat([first, second]))
  expect(await readdir(root)).toEqual([])
  await spooled.close()
})

test('when it is closed, no file is there, although one was being opened, and none is opened later', async () => {
  const spooled = new SpooledBytes({ TMPDIR: root })
  const opening = spooled.append(randomBytes(100_000)).catch(() => undefined)
  await spooled.close()
  expect(await readdir(root)).toEqual([])
  await opening
  await spooled.append(randomBytes(100_000))
  expect(await readdir(root)).toEqual([])
})
