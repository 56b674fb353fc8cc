import { Readable } from 'node:stream'
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
}

/**
 * A layer in the format of the OCI image specification: the content of the tree, with `.wh.NAME` for a whiteout at NAME
 * and `.wh..wh..opq` in each opaque directory.
 *
 * These entries come first, each after empty entries of its parent directories, whose own entries set their attributes
 * later. containerd gives a directory that it has to make up the extended attributes of that directory in the layers
 * below, and the later entry would not remove them. Appending the marks would require removing the end that GNU tar
 * writes.
 *
 * Holes are written as zeros: the Engine does not preserve them, and their position depends on the filesystem, which must
 * not change the digest.
 */
export function layerTar({ tree, openList, whiteouts, opaque }: LayerContents, signal?: AbortSignal): Readable {
  const marks = [
    ...whiteouts.map((path) => beside(path, `.wh.${path.slice(path.lastIndexOf('/') + 1)}`)),
    ...opaque.map((path) => `${path}/.wh..wh..opq`),
  ].sort()
  // Lazy: a layer that the Engine already has is not generated.
  async function* blocks(): AsyncGenerator<Buffer> {
    const parents = parentsOf(marks)
    if (marks.length > 0)
      yield Buffer.concat([
        ...parents.map((path) => emptyMember({ path, kind: 'directory' })),
        ...marks.map((path) => emptyMember({ path, kind: 'file' })),
      ])
    const list = await openList()
    if (list) for await (const chunk of writeTar({ tree, list, sparse: false, signal })) yield chunk as Buffer
    else yield END_OF_ARCHIVE
  }
  return Readable.from(blocks(), { objectMode: false, highWaterMark: 256 * 1024 })
}

/** Each parent directory once, before those in it. */
function parentsOf(paths: readonly string[]): string[] {
  const parents = new Set<string>()
  for (const path of paths)
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) parents.add(path.slice(0, end))
  return [...parents].sort()
}

function beside(path: string, name: string): string {
  return `${path.slice(0, path.lastIndexOf('/') + 1)}${name}`
}
