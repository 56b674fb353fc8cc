import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { BlobDigest } from './blob-digest.js'
import type { Blob, BlobWriteOptions } from './blob-store.js'

/** Chunks are batched to about this size. Smaller writes take more time for a gigabyte; larger ones save none. */
const BATCH_BYTES = 512 * 1024

/**
 * Copies `body` into `file`, computes its digests, and compares them with what is expected. The caller fsyncs the file.
 * `body` is destroyed unless it has been read to its end.
 */
export async function copyAndHash(body: Readable, file: FileHandle, options: BlobWriteOptions): Promise<Blob> {
  const { signal } = options
  const digest = new BlobDigest(options)
  let batch: Buffer[] = []
  let batched = 0

  const destroyBody = () => body.destroy(signal?.reason instanceof Error ? signal.reason : undefined)
  signal?.throwIfAborted()
  signal?.addEventListener('abort', destroyBody, { once: true })
  try {
    for await (const given of body as AsyncIterable<Buffer | string>) {
      const chunk = typeof given === 'string' ? Buffer.from(given) : given
      digest.count(chunk.length)
      batch.push(chunk)
      batched += chunk.length
      if (batched < BATCH_BYTES) continue
      await writeBatch(file, batch, digest)
      batch = []
      batched = 0
    }
    await writeBatch(file, batch, digest)
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', destroyBody)
  }

  return digest.end()
}

/** The write and the hashing run in parallel. */
async function writeBatch(file: FileHandle, batch: readonly Buffer[], digest: BlobDigest): Promise<void> {
  if (batch.length === 0) return
  const written = writeAll(file, batch)
  for (const chunk of batch) digest.update(chunk)
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
