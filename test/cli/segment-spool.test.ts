import { tmpdir } from 'node:os'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { SegmentSpool } from '../../cli/pack/segment-spool.js'

const CHUNKS = Array.from({ length: 12 }, (_, index) => Buffer.alloc(100_000 + index, `chunk ${index} `))

async function open(atOnce: number): Promise<SegmentSpool> {
  const spool = await SegmentSpool.open({ TMPDIR: tmpdir() }, atOnce)
  onTestFinished(() => spool.bytes.close())
  return spool
}

test('the archive of a source does not depend on how many chunks are compressed at once', async () => {
  const packed = async (atOnce: number) => {
    const spool = await open(atOnce)
    await spool.add(CHUNKS)
    await spool.finish()
    return { sha256: spool.sha256, bytes: await buffer(spool.bytes.chunks()) }
  }
  const one = await packed(1)
  expect(gunzipSync(one.bytes).equals(Buffer.concat(CHUNKS))).toBe(true)
  for (const atOnce of [2, 4, 16]) expect((await packed(atOnce)).sha256).toBe(one.sha256)
})

test.each([2, 4])('%i chunks are compressed at once, and no more are held in memory', async (atOnce) => {
  const spool = await open(atOnce)
  let read = 0
  function* chunks() {
    for (const chunk of CHUNKS) {
      read += 1
      yield chunk
    }
  }
  const adding = spool.add(chunks())
  // No thread can hand over its result before this turn of the event loop is over.
  for (let turn = 0; turn < 100; turn++) await Promise.resolve()
  expect(read).toBe(atOnce)
  await adding
  expect(read).toBe(CHUNKS.length)
})
