import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { BadInput, TooLarge } from '../../base/errors.js'
import type { Blob, BlobWriteOptions } from './blob-store.js'

/** Chunks are batched to about this size. Smaller writes take more time for a gigabyte; larger ones save none. */
const BATCH_BYTES = 512 * 1024

/**
 * Copies `body` into `file`, computes its digests, and compares them with what is expected. The caller fsyncs the file.
 * `body` is destroyed unless it has been read to its end.
 */
export async function copyAndHash(body: Readable, file: FileHandle, options: BlobWriteOptions): Promise<Blob> {
  const { expected = {}, maxBytes = Infinity, signal } = options
  const sha256 = createHash('sha256')
  const sha1 = options.wantSha1 === true || expected.sha1 !== undefined ? createHash('sha1') : undefined
  const hashes = sha1 ? [sha256, sha1] : [sha256]
  let length = 0
  let batch: Buffer[] = []
  let batched = 0

  const destroyBody = () => body.destroy(signal?.reason instanceof Error ? signal.reason : undefined)
  signal?.throwIfAborted()
  signal?.addEventListener('abort', destroyBody, { once: true })
  try {
    for await (const given of body as AsyncIterable<Buffer | string>) {
      const chunk = typeof given === 'string' ? Buffer.from(given) : given
      length += chunk.length
      assertNotTooLong(length, maxBytes, expected.length)
      batch.push(chunk)
      batched += chunk.length
      if (batched < BATCH_BYTES) continue
      await writeBatch(file, batch, hashes)
      batch = []
      batched = 0
    }
    await writeBatch(file, batch, hashes)
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', destroyBody)
  }

  const blob = { sha256: sha256.digest('hex'), sha1: sha1?.digest('hex'), length }
  assertExpected(blob, expected)
  return blob
}

/** The write and the hashing run in parallel. */
async function writeBatch(file: FileHandle, batch: readonly Buffer[], hashes: readonly Hash[]): Promise<void> {
  if (batch.length === 0) return
  const written = writeAll(file, batch)
  for (const hash of hashes) for (const chunk of batch) hash.update(chunk)
  await written
}

/** `writev` may write less than it is given, for instance if the disk is nearly full. */
async function writeAll(file: FileHandle, batch: readonly Buffer[]): Promise<void> {
  let rest = [...batch]
  while (rest.length > 0) {
    let { bytesWritten } = await file.writev(rest)
    const next: Buffer[] = []
    for (const chunk of rest) {
      if (bytesWritten < chunk.length) next.push(chunk.subarray(bytesWritten))
      bytesWritten = Math.max(0, bytesWritten - chunk.length)
    }
    rest = next
  }
}

function assertNotTooLong(length: number, maxBytes: number, expected: number | undefined): void {
  if (length > maxBytes)
    throw new TooLarge('blob-too-large', `The data is longer than the ${maxBytes} bytes that are allowed.`)
  if (expected !== undefined && length > expected)
    throw new BadInput('length-mismatch', `The data is longer than the ${expected} bytes that were announced.`)
}

function assertExpected(blob: Blob, expected: NonNullable<BlobWriteOptions['expected']>): void {
  if (expected.length !== undefined && blob.length !== expected.length)
    throw new BadInput(
      'length-mismatch',
      `The data has ${blob.length} bytes, where ${expected.length} were announced: it was cut short or changed on the way.`,
    )
  for (const name of ['sha256', 'sha1'] as const) {
    const wanted = expected[name]
    if (wanted !== undefined && blob[name] !== wanted.toLowerCase())
      throw new BadInput(
        'digest-mismatch',
        `The ${name} of the data is ${String(blob[name])}, where ${wanted} was announced: it was changed on the way.`,
      )
  }
}
