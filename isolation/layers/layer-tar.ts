import { Readable } from 'node:stream'
import { END_OF_ARCHIVE, emptyMember } from '../archive/tar-member.js'
import { writeTar } from '../archive/tar-writer.js'

export interface LayerContents {
  /** Absolute path. */
  readonly tree: string
  /** Opens the list of everything in the tree but whiteouts, sorted; undefined where there is nothing. */
  readonly openList: () => Promise<Readable | undefined>
  /** Bytes as latin1, as below. */
  readonly whiteouts: readonly string[]
  readonly opaque: readonly string[]
}

/**
 * A layer as image builders write it: what the tree holds, with `.wh.NAME` in place of a whiteout at NAME and
 * `.wh..wh..opq` in each opaque directory.
 *
 * These marks come first, before the directories that hold them: whoever applies a layer makes missing parents, and
 * gives them their attributes when their own entries come. At the end they could only go by taking GNU tar's own end of
 * the archive off again.
 *
 * Holes are written out as zeros: the Engine does not keep them, and where they are is up to the filesystem, which must
 * not change a digest.
 */
export function layerTar({ tree, openList, whiteouts, opaque }: LayerContents, signal?: AbortSignal): Readable {
  const marks = [
    ...whiteouts.map((path) => beside(path, `.wh.${path.slice(path.lastIndexOf('/') + 1)}`)),
    ...opaque.map((path) => `${path}/.wh..wh..opq`),
  ].sort()
  // Started when it is read: a layer that the Engine has already costs nothing.
  async function* blocks(): AsyncGenerator<Buffer> {
    if (marks.length > 0) yield Buffer.concat(marks.map((path) => emptyMember({ path, kind: 'file' })))
    const list = await openList()
    if (list) for await (const chunk of writeTar({ tree, list, sparse: false, signal })) yield chunk as Buffer
    else yield END_OF_ARCHIVE
  }
  return Readable.from(blocks(), { objectMode: false, highWaterMark: 256 * 1024 })
}

function beside(path: string, name: string): string {
  return `${path.slice(0, path.lastIndexOf('/') + 1)}${name}`
}
