import { randomBytes } from 'node:crypto'
import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Seal } from '../../../daemon/secrets/seal.js'
import { readSecretsKey } from '../../../daemon/secrets/secrets-key.js'
import { temporaryDirectory } from '../store/temporary-directory.js'

describe('a sealed secret', () => {
  const seal = new Seal(randomBytes(32))

  it('is opened by the same key at the same place, and does not show what it is', () => {
    const sealed = seal.close(Buffer.from('s3cret'), 'here')
    expect(seal.open(sealed, 'here').toString()).toBe('s3cret')
    expect(sealed.includes('s3cret')).toBe(false)
    expect(seal.close(Buffer.from('s3cret'), 'here').equals(sealed)).toBe(false)
  })

  it.each([
    ['by another key', () => new Seal(randomBytes(32)).open(seal.close(Buffer.from('s3cret'), 'here'), 'here')],
    ['at another place', () => seal.open(seal.close(Buffer.from('s3cret'), 'here'), 'there')],
    ['with a flipped bit', () => seal.open(flipped(seal.close(Buffer.from('s3cret'), 'here')), 'here')],
    ['cut short', () => seal.open(seal.close(Buffer.from('s3cret'), 'here').subarray(0, 5), 'here')],
  ])('cannot be opened %s', (_how, open) => {
    expect(open).toThrow(expect.objectContaining({ code: 'secrets-lost' }) as Error)
  })
})

function flipped(bytes: Buffer): Buffer {
  bytes[bytes.length - 1]! ^= 1
  return bytes
}

describe('the key', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  beforeEach(async () => {
    directory = await temporaryDirectory()
  })
  afterEach(() => directory.remove())

  it('is made once, for the owner alone', async () => {
    const own = join(directory.path, 'secrets.key')
    const key = await readSecretsKey(undefined, own)
    expect(key).toHaveLength(32)
    expect((await stat(own)).mode & 0o777).toBe(0o600)
    expect(await readSecretsKey(undefined, own)).toEqual(key)
  })

  it('is made anew where a crash has left half of one', async () => {
    const own = join(directory.path, 'secrets.key')
    await writeFile(`${own}.new`, 'half')
    expect(await readSecretsKey(undefined, own)).toEqual(await readFile(own))
  })

  it('can be given, and none is made then', async () => {
    const given = join(directory.path, 'credential')
    await writeFile(given, Buffer.alloc(32, 1), { mode: 0o400 })
    expect(await readSecretsKey(given, join(directory.path, 'none'))).toEqual(Buffer.alloc(32, 1))
    await expect(stat(join(directory.path, 'none'))).rejects.toThrow('ENOENT')
  })

  it.each([
    ['is not there', () => Promise.resolve(), 'cannot be read'],
    ['others can read', (file: string) => writeFile(file, Buffer.alloc(32)).then(() => chmod(file, 0o640)), '0600'],
    ['is no key', (file: string) => writeFile(file, 'text', { mode: 0o600 }), 'has 4 bytes: it must have 32'],
  ])('is refused if it %s', async (_what, make, words) => {
    const given = join(directory.path, 'given')
    await make(given)
    await expect(readSecretsKey(given, join(directory.path, 'own'))).rejects.toMatchObject({
      code: 'bad-secrets-key',
      message: expect.stringContaining(words) as string,
    })
  })
})
