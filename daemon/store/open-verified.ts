import { finished } from 'node:stream/promises'
import type { BlobStore, OpenBlob } from './blob-store.js'

/**
 * Opens a blob for a reader that cannot be told of damage once its answer has begun: a blob that is not trusted is read
 * to its end first. The stream of the result verifies the content once more.
 *
 * The caller holds the blob. Throws what `BlobStore.open` throws, and `Fault` (`blob-corrupt`).
 */
export async function openVerified(
  blobs: Pick<BlobStore, 'open'>,
  sha256: string,
  signal: AbortSignal,
): Promise<OpenBlob> {
  const blob = await blobs.open(sha256)
  if (blob.trustedFile) return blob
  const stop = () => blob.stream.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
  signal.addEventListener('abort', stop, { once: true })
  try {
    if (signal.aborted) stop()
    await finished(blob.stream.resume())
  } finally {
    signal.removeEventListener('abort', stop)
    blob.stream.destroy()
  }
  return await blobs.open(sha256)
}
