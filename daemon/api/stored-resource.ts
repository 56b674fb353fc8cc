import { randomUUID } from 'node:crypto'
import { NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { detectCompression } from '../../isolation/archive/compression.js'
import type { Resource } from '../packages/package.js'
import type { BlobStore } from '../store/blob-store.js'

/**
 * A resource of what was uploaded before. That it is an archive was seen at the upload; how it is packed is told by its
 * first bytes again. It is touched, so that no collection of garbage takes it before a package names it.
 *
 * Throws `NotFound` (`resource-not-found`).
 */
export async function storedResource(blobs: BlobStore, sha256: string): Promise<Resource> {
  const digest = sha256.toLowerCase()
  if (!(await blobs.touch(digest)))
    throw new NotFound('resource-not-found', `No data with the SHA-256 ${quote(sha256)} is here: upload it first.`)
  const { stream, length } = await blobs.open(digest)
  try {
    const compression = await detectCompression(stream)
    return { uuid: randomUUID(), sha256: digest, sha1: undefined, length, compression, removals: [] }
  } finally {
    stream.destroy()
  }
}
