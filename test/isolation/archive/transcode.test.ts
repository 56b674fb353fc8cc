import { execFileSync } from 'node:child_process'
import { Readable } from 'node:stream'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { gzipStream } from '../../../isolation/archive/transcode.js'
import { chooseCompressor } from '../../../isolation/archive/compressor.js'
import { collect } from '../../support/collect.js'
import { tarOf } from '../../support/tar-builder.js'

const tar = tarOf({ name: 'app/file', data: 'x'.repeat(200_000) })
const compressor = await chooseCompressor()

test.each([
  ['bzip2', execFileSync('bzip2', ['-c'], { input: tar })],
  ['xz', execFileSync('xz', ['-c'], { input: tar })],
  ['zstd', execFileSync('zstd', ['-c'], { input: tar })],
  ['none', tar],
] as const)('data stored as %s is sent as gzip', async (compression, stored) => {
  const out = await collect(await gzipStream(Readable.from([stored]), compression, compressor))
  expect(gunzipSync(out)).toEqual(tar)
})

test('gzip is sent unchanged', async () => {
  const stored = gzipSync(tar)
  expect(await collect(await gzipStream(Readable.from([stored]), 'gzip', compressor))).toEqual(stored)
})

test('an error of a damaged blob becomes the error of the download', async () => {
  const stored = new Readable({
    read() {
      this.push(tar.subarray(0, 100_000))
      this.destroy(new Error('the blob is damaged'))
    },
  })
  await expect(gzipStream(stored, 'none', compressor).then(collect)).rejects.toThrow('the blob is damaged')
})

test('a client that disconnects ends the compressor and closes the blob', async () => {
  const stored = new Readable({
    read() {
      this.push(Buffer.alloc(65536))
    },
  })
  const out = await gzipStream(stored, 'none', compressor)
  for await (const chunk of out) if ((chunk as Buffer).length > 0) break
  await expect.poll(() => stored.destroyed).toBe(true)
})

test('a download that was aborted before it began closes the blob', async () => {
  const stored = Readable.from([tar])
  const aborted = AbortSignal.abort(new Error('the client is gone'))
  await expect(gzipStream(stored, 'xz', compressor, aborted)).rejects.toThrow('the client is gone')
  expect(stored.destroyed).toBe(true)
})
