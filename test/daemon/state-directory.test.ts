import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { CleanupStack } from '../../base/cleanup-stack.js'
import { isUuid } from '../../base/identifiers.js'
import { StateDirectory } from '../../daemon/state-directory.js'
import { temporaryDirectory } from './store/temporary-directory.js'

describe('the state directory', () => {
  let directory: string
  beforeEach(async () => {
    const temporary = await temporaryDirectory()
    onTestFinished(() => temporary.remove())
    directory = path.join(temporary.path, 'state')
  })

  const open = async () => {
    const undo = new CleanupStack()
    onTestFinished(() => void undo.run())
    return { state: await StateDirectory.open(directory, undo), close: () => undo.run() }
  }

  it('is created, and has a UUID of its own that stays the same', async () => {
    const { state, close } = await open()
    expect((await stat(directory)).mode & 0o777).toBe(0o711)
    expect(isUuid(state.nodeId)).toBe(true)
    expect(await readFile(path.join(directory, 'node-id'), 'utf8')).toBe(`${state.nodeId}\n`)
    await close()
    expect((await open()).state.nodeId).toBe(state.nodeId)
  })

  it('belongs to one daemon at a time', async () => {
    await open()
    await expect(open()).rejects.toMatchObject({ code: 'state-dir-in-use' })
  })

  it('with a damaged node id is refused, not given another one', async () => {
    await mkdir(directory)
    await writeFile(path.join(directory, 'node-id'), 'half a UU')
    await expect(open()).rejects.toMatchObject({
      code: 'bad-node-id',
      message: `${directory}/node-id must contain a UUID: restore it, or delete the whole state directory.`,
    })
  })

  it.each([
    ['a file', 'a part of the path is not a directory', (file: string) => file],
    ['below a file', 'a part of the path is not a directory', (file: string) => path.join(file, 'state')],
    ['too long', 'it is too long', (file: string) => path.join(path.dirname(file), 'd'.repeat(256))],
  ])('that cannot be one is refused with its reason: %s', async (_what, reason, pathOf) => {
    const file = path.join(path.dirname(directory), 'file')
    await writeFile(file, '')
    directory = pathOf(file)
    await expect(open()).rejects.toMatchObject({
      code: 'bad-state-dir',
      message: `The state directory ${directory} cannot be used, because ${reason}: use a directory on a local disk that root can write to, with --state-dir.`,
    })
  })

  it('is cleared of imports that a crash interrupted', async () => {
    await mkdir(path.join(directory, 'imports'), { recursive: true })
    await writeFile(path.join(directory, 'imports', 'half'), 'content')
    await open()
    expect(await readdir(directory)).not.toContain('imports')
  })

  it('is cleared of copies of logs that a crash interrupted, and keeps the logs', async () => {
    const logs = path.join(directory, 'logs')
    await mkdir(logs, { recursive: true })
    const log = `${randomUUID()}.ndjson`
    const [copy, ofEarlierVersion] = [`${log}.${randomUUID()}.new`, `${log}.new`]
    for (const name of [log, copy, ofEarlierVersion]) await writeFile(path.join(logs, name), '')
    await open()
    expect(await readdir(logs)).toEqual([log])
  })
})
