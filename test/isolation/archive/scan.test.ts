import { execFileSync } from 'node:child_process'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { scanArchive } from '../../../isolation/archive/scan.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { TarParser } from '../../../isolation/archive/tar-parser.js'
import { TEST_LIMITS } from '../../support/test-limits.js'
import { END, memberBlocks, tarOf } from '../../support/tar-builder.js'

const never = new AbortController().signal

/** In chunks whose length is not a multiple of the block size, as from a network. */
function chunksOf(bytes: Buffer, pieceLength = 333): Readable {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceLength) pieces.push(bytes.subarray(at, at + pieceLength))
  return Readable.from(pieces, { objectMode: false })
}

describe('the scanner refuses', () => {
  test('a decompression bomb, before it is fully decompressed', async () => {
    const zeros = { name: 'zeros', data: Buffer.alloc(300 * 1024 * 1024) }
    const bomb = execFileSync('zstd', ['-c'], { input: tarOf(zeros), maxBuffer: 1024 ** 3 })
    expect(bomb.length).toBeLessThan(100_000)
    await expect(scanArchive(chunksOf(bomb), DEFAULT_ARCHIVE_LIMITS, never)).rejects.toMatchObject({
      code: 'archive-too-large',
    })
  })

  test.each(['gzip', 'bzip2', 'xz', 'zstd'])('garbage after the end of %s data', async (program) => {
    const sound = execFileSync(program, ['-c'], { input: tarOf({ name: 'f', data: 'x' }) })
    const archive = Buffer.concat([sound, Buffer.alloc(700, 'garbage')])
    await expect(scanArchive(chunksOf(archive), TEST_LIMITS, never)).rejects.toMatchObject({ code: 'archive-corrupt' })
  })
})

describe('the scanner accepts', () => {
  test.each(['gzip', 'bzip2', 'xz', 'zstd'] as const)(
    'an archive compressed with %s, detected from its content',
    async (program) => {
      const tar = tarOf({ name: 'f', data: 'x'.repeat(100_000) })
      const archive = execFileSync(program, ['-c'], { input: tar })
      await expect(scanArchive(chunksOf(archive, 1), TEST_LIMITS, never)).resolves.toEqual({
        compression: program,
        entries: 1,
        bytes: tar.length,
        canonical: true,
      })
    },
  )

  test('padding with zeros after the end, as tar pads its records', async () => {
    const archive = Buffer.concat([memberBlocks({ name: 'f' }), END, Buffer.alloc(9000)])
    await expect(scanArchive(chunksOf(archive), TEST_LIMITS, never)).resolves.toMatchObject({ entries: 1 })
  })
})

test.each([
  { what: 'in an extended header', stated: { size: 0, pax: { size: String(9 * 1024 ** 3) } } },
  { what: "in GNU's base 256", stated: { size: 9 * 1024 ** 3 } },
])('a length over 8 GiB, too large for octal digits, is read $what', ({ stated }) => {
  const parser = new TarParser(DEFAULT_ARCHIVE_LIMITS)
  parser.push(memberBlocks({ name: 'long', ...stated }))
  const zeros = Buffer.alloc(1024 ** 2)
  for (let left = 9 * 1024; left > 0; left--) parser.push(zeros)
  parser.push(memberBlocks({ name: 'next' }))
  parser.push(END)
  parser.finish()
  expect([...parser.tree.paths.keys()]).toEqual(['long', 'next'])
})

describe('a scan and its source', () => {
  test('an error of the source becomes the error of the scan', async () => {
    const source = new Readable({
      read() {
        this.push(gzipSync(tarOf({ name: 'f' })).subarray(0, 20))
        this.destroy(new Error('the client went away'))
      },
    })
    await expect(scanArchive(source, TEST_LIMITS, never)).rejects.toThrow('the client went away')
  })

  test('an abort ends the scan and destroys the source', async () => {
    const controller = new AbortController()
    const source = new Readable({ read: () => undefined })
    source.push(gzipSync(tarOf({ name: 'f' })).subarray(0, 20))
    const scan = scanArchive(source, TEST_LIMITS, controller.signal)
    controller.abort(new Error('enough'))
    await expect(scan).rejects.toThrow()
    expect(source.destroyed).toBe(true)
  })
})
