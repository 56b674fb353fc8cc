import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chooseCompressor } from '../../../isolation/archive/compressor.js'
import { GzipBlocks } from '../../../isolation/archive/gzip-blocks.js'
import { ProcessorBudget } from '../../../isolation/archive/processor-budget.js'
import { COMPRESSORS } from '../../../isolation/compressor-choice.js'
import { collect } from '../../support/collect.js'
import { until } from '../../support/until.js'

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

  test('writes the same bytes with one processor as with many', async () => {
    const withProcessors = async (processors: number) => {
      const compressor = await chooseCompressor({ name, level: 1 }, undefined, new ProcessorBudget(processors))
      return await collect(compressor.compress(Readable.from([Buffer.concat([content, noise(1_000_000)])])))
    }
    const [one, many] = await Promise.all([withProcessors(1), withProcessors(8)])
    expect(one.equals(many)).toBe(true)
  })
})

describe.each(['pigz', 'zlib'] as const)('%s, beside others', (name) => {
  test.each([
    ['has ended', (archive: Readable) => collect(archive)],
    ['was stopped', (archive: Readable) => Promise.resolve(void archive.destroy())],
  ])('gives its share of the processors back when it %s', async (_, end) => {
    const budget = new ProcessorBudget(8)
    const compressor = await chooseCompressor({ name, level: 1 }, undefined, budget)
    const archive = compressor.compress(Readable.from([Buffer.from('content')]))
    const beside = budget.take()
    expect(beside.threads).toBe(2)
    beside.release()
    await end(archive)
    await until('the share is free', () => {
      const { threads, release } = budget.take()
      release()
      return Promise.resolve(threads === 8)
    })
  })
})

describe('a budget of processors', () => {
  test('gives each at least two threads, and all together little more than there are processors', () => {
    const threadsOf = (processors: number) => {
      const budget = new ProcessorBudget(processors)
      return Array.from({ length: 8 }, () => budget.take().threads)
    }
    expect(threadsOf(64)).toEqual([8, 8, 8, 8, 8, 8, 8, 8])
    expect(threadsOf(16)).toEqual([8, 8, 2, 2, 2, 2, 2, 2])
    expect(threadsOf(5)).toEqual([5, 2, 2, 2, 2, 2, 2, 2])
    expect(threadsOf(1)).toEqual([2, 2, 2, 2, 2, 2, 2, 2])
  })
})

describe('compression in blocks', () => {
  const gzip = async (chunks: Buffer[], atOnce = 3, level = 1) =>
    await collect(Readable.from(chunks, { objectMode: false }).pipe(new GzipBlocks({ level, atOnce })))

  test('gives what was put in, and the same bytes however that comes in chunks', async () => {
    const block = 512 * 1024
    const length = fc.oneof(
      fc.integer({ min: 0, max: 3 * block }),
      fc.constantFrom(0, 1, block - 1, block, block + 1, 2 * block),
    )
    await fc.assert(
      fc.asyncProperty(length, fc.array(fc.double({ min: 0, max: 1, noNaN: true })), async (total, cuts) => {
        const bytes = Buffer.concat([Buffer.alloc(total >> 1, 'text '), noise(total - (total >> 1))])
        const ends = [...cuts.map((cut) => Math.floor(cut * total)).sort((one, other) => one - other), total]
        const chunks = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
        const whole = await gzip([bytes], 1)
        expect(gunzipSync(whole).equals(bytes)).toBe(true)
        expect((await gzip(chunks)).equals(whole)).toBe(true)
      }),
      { numRuns: 20 },
    )
  })

  test('refers to what was before a block, so that a repetition across blocks costs nothing', async () => {
    const once = noise(30_000)
    const archive = await gzip([Buffer.concat(Array.from({ length: 50 }, () => once))])
    expect(archive.length).toBeLessThan(1.9 * once.length)
  })
})

/** Incompressible, and the same each time. */
function noise(length: number): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < length; at += 64) parts.push(createHash('sha512').update(`${at}`).digest())
  return Buffer.concat(parts).subarray(0, length)
}
