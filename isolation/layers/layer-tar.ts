import { pipeline, Readable } from 'node:stream'
import { END_OF_ARCHIVE, TAR_BLOCK } from '../../base/tar-blocks.js'
import { ENGINE_TIMES } from '../../base/tar-time.js'
import { EngineAttributeNames } from '../archive/attribute-names.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { bytesOf } from '../archive/names.js'
import { emptyMember } from '../archive/tar-member.js'
import { tarList, writeTar } from '../archive/tar-writer.js'

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
 * These marks come after the directories that they are in, and before everything else: first a tar of these directories
 * without its end, then the marks, then a tar of the rest. No directory may come after an entry in it: containerd would
 * make it up with the extended attributes that it has in the layers below, which its own entry would not remove. And
 * none may come twice: the Engine refuses that.
 *
 * Holes are written as zeros: the Engine does not preserve them, and their position depends on the filesystem, which must
 * not change the digest. Times and names of attributes are as an Engine reads them.
 */
export function layerTar({ tree, openList, whiteouts, opaque, owners }: LayerContents, signal?: AbortSignal): Readable {
  const marks = [
    ...whiteouts.map((path) => beside(path, `.wh.${path.slice(path.lastIndexOf('/') + 1)}`)),
    ...opaque.map((path) => `${path}/.wh..wh..opq`),
  ].sort()
  const { latest: latestTime } = ENGINE_TIMES
  const tar = (list: Readable) =>
    writeTar({ tree, list, sparse: false, latestTime, owners, signal }) as AsyncIterable<Buffer>
  async function* blocks(): AsyncGenerator<Buffer> {
    const parents = parentsOf(marks)
    if (parents.length > 0) yield* withoutEnd(tar(tarList(parents)))
    if (marks.length > 0) yield Buffer.concat(marks.map((path) => emptyMember({ path, kind: 'file' })))
    const list = await openList()
    const rest = parents.length > 0 && list ? await allExcept(new Set(parents), list) : list
    if (rest) yield* tar(rest)
    else yield END_OF_ARCHIVE
  }
  // Lazy: a layer that the Engine already has is not generated.
  async function* forEngine(): AsyncGenerator<Buffer> {
    yield* pipeline(Readable.from(blocks()), new EngineAttributeNames(), () => undefined) as AsyncIterable<Buffer>
  }
  return Readable.from(forEngine(), { objectMode: false, highWaterMark: 256 * 1024 })
}

function beside(path: string, name: string): string {
  return `${path.slice(0, path.lastIndexOf('/') + 1)}${name}`
}

/** Each parent directory once, before those in it. */
function parentsOf(paths: readonly string[]): string[] {
  const parents = new Set<string>()
  for (const path of paths)
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) parents.add(path.slice(0, end))
  return [...parents].sort()
}

/**
 * A tar of directories without the zeros at its end. They have no content, so that no other zeros can be at the end but
 * those that fill the last header.
 */
async function* withoutEnd(tar: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let length = 0
  let zeros = 0
  for await (const chunk of tar) {
    const end = chunk.findLastIndex((byte) => byte !== 0) + 1
    if (end > 0) {
      yield Buffer.concat([Buffer.alloc(zeros), chunk.subarray(0, end)])
      length += zeros + end
      zeros = 0
    }
    zeros += chunk.length - end
  }
  yield Buffer.alloc((TAR_BLOCK - (length % TAR_BLOCK)) % TAR_BLOCK)
}

/** The paths of `list` that are not in `excluded`, as a list; undefined if there are none. */
async function allExcept(excluded: ReadonlySet<string>, list: Readable): Promise<Readable | undefined> {
  const paths = except(excluded, list)
  const first = await paths.next()
  if (first.done) return undefined
  async function* all(): AsyncGenerator<Buffer> {
    yield bytesOf(first.value as string)
    for await (const batch of paths) yield bytesOf(batch)
  }
  return Readable.from(all(), { objectMode: false })
}

/** In batches of NUL-terminated paths, none of which is empty. */
async function* except(excluded: ReadonlySet<string>, list: Readable): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of list.setEncoding('latin1') as AsyncIterable<string>) {
    const paths = (rest + chunk).split('\0')
    rest = paths.pop() ?? ''
    const batch = paths.filter((path) => !excluded.has(path)).map((path) => `${path}\0`)
    if (batch.length > 0) yield batch.join('')
  }
}
