import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readPrivate } from '../../base/read-private.js'
import { temporaryDirectory } from '../daemon/store/temporary-directory.js'

async function fileWith(mode: number) {
  const directory = await temporaryDirectory()
  const file = join(directory.path, 'secret')
  await writeFile(file, 'hidden\n')
  await chmod(file, mode)
  return { file, directory }
}

describe('a file with a secret', () => {
  it.each([0o600, 0o400])('is read as it is, if its mode is %o', async (mode) => {
    const { file, directory } = await fileWith(mode)
    expect((await readPrivate(file, 'key')).toString()).toBe('hidden\n')
    await directory.remove()
  })

  it.each([0o640, 0o604, 0o620, 0o601])('is refused if others may use it, as with mode %o', async (mode) => {
    const { file, directory } = await fileWith(mode)
    await expect(readPrivate(file, 'key', 'bad-key')).rejects.toMatchObject({
      ...{ kind: 'bad-input', code: 'bad-key' },
      message: `${file} may be read by others than its owner: give it mode 0600.`,
    })
    await directory.remove()
  })

  it('says what it is if it cannot be read, and passes the cause on', async () => {
    const { directory } = await fileWith(0o600)
    const missing = join(directory.path, 'missing')
    await expect(readPrivate(missing, 'key of the test')).rejects.toMatchObject({
      ...{ code: 'bad-settings', cause: { code: 'ENOENT' } },
      message: expect.stringContaining('The key of the test cannot be read: ') as string,
    })
    await mkdir(missing)
    await expect(readPrivate(missing, 'key')).rejects.toMatchObject({ cause: { code: 'EISDIR' } })
    await directory.remove()
  })
})
