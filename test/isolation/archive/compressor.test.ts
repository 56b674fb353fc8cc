import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { chooseCompressor } from '../../../isolation/archive/compressor.js'
import { COMPRESSORS } from '../../../isolation/compressor-choice.js'
import { collect } from '../../support/collect.js'

const host =
  (...programs: string[]) =>
  (program: string) =>
    Promise.resolve(programs.includes(program))

describe('chooseCompressor', () => {
  test.each([
    [['igzip', 'pigz'], 'igzip'],
    [['pigz'], 'pigz'],
    [[], 'zlib'],
  ])('chooses the fastest of %j: %s', async (programs, fastest) => {
    expect((await chooseCompressor({ name: 'auto', level: 1 }, host(...programs))).name).toBe(fastest)
  })

  test.each(COMPRESSORS)('returns %s when it is requested', async (name) => {
    expect((await chooseCompressor({ name, level: 2 }, host('igzip', 'pigz'))).name).toBe(name)
  })

  test.each(['igzip', 'pigz'] as const)('refuses %s when it is not installed', async (name) => {
    await expect(chooseCompressor({ name, level: 1 }, host())).rejects.toMatchObject({ code: 'tool-missing' })
  })

  test('limits the level to the range of the compressor', async () => {
    const levelOf = async (name: (typeof COMPRESSORS)[number]) =>
      (await chooseCompressor({ name, level: 9 }, host('igzip', 'pigz'))).level
    expect([await levelOf('igzip'), await levelOf('pigz'), await levelOf('zlib')]).toEqual([3, 9, 9])
  })
})

describe.each(COMPRESSORS)('%s', (name) => {
  const content = Buffer.from('what a stager has changed\n'.repeat(100_000))

  test.each([0, 1, 9])('writes gzip at level %i, without name and time', async (level) => {
    const compressor = await chooseCompressor({ name, level })
    const archive = await collect(compressor.compress(Readable.from([content])))
    expect(gunzipSync(archive).equals(content)).toBe(true)
    expect({ flags: archive[3], time: archive.readUInt32LE(4) }).toEqual({ flags: 0, time: 0 })
  })

  test('fails with the error of its input', async () => {
    const compressor = await chooseCompressor({ name, level: 1 })
    const broken = new Readable({ read: () => undefined })
    const archive = collect(compressor.compress(broken))
    broken.push(content)
    broken.destroy(new Error('the disk is gone'))
    await expect(archive).rejects.toThrow('the disk is gone')
  })
})
