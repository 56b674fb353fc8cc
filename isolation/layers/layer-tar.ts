import { Readable } from 'node:stream'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { END_OF_ARCHIVE, emptyMember } from '../archive/tar-member.js'
import { writeTar } from '../archive/tar-writer.js'

export interface LayerContents {
  /** Absolute path. */
  readonly tree: string
  /** Opens the sorted list of the tree without its whiteouts; undefined if it is empty. */
  readonly openList: () => Promise<Readable | undefined>
  /** Bytes as latin1. */
  readonly whiteouts: readonly string[]
  readonly opaque: readonly string[]
  /** Those with which the tree was unpacked. */
  readonly owners: MappedOwners | undefined
}

/**
 * A layer in the format of the OCI image specification: the content of the tree, with `.wh.NAME` for a whiteout at NAME
 * and `.wh..wh..opq` in each opaque directory.
 *
 * These entries come first, before their parent directories. An extractor creates missing parents, and sets their
 * attributes at their own entries. Appending the marks would require removing the end that GNU tar writes.
 *
 * Holes are written as zeros: the Engine does not preserve them, and their position depends on the filesystem, which must
 * not change the digest.
 */
export function layerTar({ tree, openList, whiteouts, opaque, owners }: LayerContents, signal?: AbortSignal): Readable {
  const marks = [
    ...whiteouts.map((path) => beside(path, `.wh.${path.slice(path.lastIndexOf('/') + 1)}`)),
    ...opaque.map((path) => `${path}/.wh..wh..opq`),
  ].sort()
  // Lazy: a layer that the Engine already has is not generated.
  async function* blocks(): AsyncGenerator<Buffer> {
    if (marks.length > 0) yield Buffer.concat(marks.map((path) => emptyMember({ path, kind: 'file' })))
    const list = await openList()
    if (list) for await (const chunk of writeTar({ tree, list, sparse: false, owners, signal })) yield chunk as Buffer
    else yield END_OF_ARCHIVE
  }
  return Readable.from(blocks(), { objectMode: false, highWaterMark: 256 * 1024 })
}

function beside(path: string, name: string): string {
  return `${path.slice(0, path.lastIndexOf('/') + 1)}${name}`
}
