import { randomUUID } from 'node:crypto'
import { NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { detectCompression } from '../../isolation/archive/compression.js'
import type { Resource } from '../packages/package.js'
import type { BlobStore } from '../store/blob-store.js'

/**
 * The resource of an earlier upload. The upload checked that it is an archive; its compression is detected again from its
 * first bytes. The blob is touched, so that garbage collection keeps it until a package refers to it.
 *
 * Throws `NotFound` (`resource-not-found`).
 */
export async function storedResource(blobs: BlobStore, sha256: string): Promise<Resource> {
  const digest = sha256.toLowerCase()
  if (!(await blobs.touch(digest)))
    throw new NotFound('resource-not-found', `There is no data with the SHA-256 ${quote(sha256)}: upload it first.`)
  const { stream, length } = await blobs.open(digest)
  try {
    const compression = await detectCompression(stream)
    return { uuid: randomUUID(), sha256: digest, sha1: undefined, length, compression, removals: [] }
  } finally {
    stream.destroy()
  }
}
