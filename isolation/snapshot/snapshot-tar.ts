import { Readable } from 'node:stream'
import { Deferred } from '../../base/deferred.js'
import type { Compressor } from '../archive/compressor.js'
import { type Filter, throughProcesses } from '../archive/filter-process.js'
import { TAR_BLOCK } from '../../base/tar-blocks.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { tarList, tarOfList, writeTar } from '../archive/tar-writer.js'
import type { PathSpool } from './path-spool.js'

export interface SnapshotTarRequest {
  /** Absolute path of the upper directory. */
  readonly upper: string
  /** What is to be archived; it still grows. */
  readonly entries: PathSpool
  readonly compressor: Compressor
  /** Those of the container. */
  readonly owners: MappedOwners | undefined
  readonly signal?: AbortSignal | undefined
}

export interface SnapshotArchive {
  /** The compressed archive. */
  readonly archive: Readable
  /** Resolves when tar has read the whole tree: before `archive` ends, and never if that fails. */
  readonly treeRead: Promise<void>
}

/**
 * tar and the compressor of one snapshot. The constructor starts them, because their jails take as long to make as a
 * tree takes to walk. tar waits for the paths of `entries`, and hands its output directly to the compressor.
 *
 * LIFECYCLE: `archive` at most once, when `entries` is complete; then `destroy` in any case, which kills the programs.
 */
export class SnapshotTar {
  #current: SnapshotArchive | undefined

  constructor(private readonly request: SnapshotTarRequest) {
    const { compressor } = request
    // zlib is no program, so it cannot be part of a chain.
    if (compressor.filter) this.#current = startPrograms(request, compressor.filter())
  }

  /**
   * GNU tar archives the further names of a symbolic link as hard links to it, and no upload may hold a hard link to
   * anything but a file. So these names must come first in the archive: they are rare, and cost a new start.
   *
   * @param furtherSymlinks further names of symbolic links that are in `entries`
   */
  archive(furtherSymlinks: readonly string[]): SnapshotArchive {
    if (this.#current && furtherSymlinks.length === 0) return this.#current
    this.#current?.archive.destroy()
    this.#current = startInNode(this.request, furtherSymlinks)
    return this.#current
  }

  destroy(): void {
    this.#current?.archive.destroy()
  }
}

function startPrograms({ upper, entries, owners, signal }: SnapshotTarRequest, compressor: Filter): SnapshotArchive {
  const treeRead = new Deferred<void>()
  const tar = { ...tarOfList({ tree: upper, sparse: true, owners }), onSuccess: () => treeRead.resolve() }
  return guarded(throughProcesses(entries.read(), [tar, compressor], signal), treeRead)
}

function startInNode(request: SnapshotTarRequest, furtherSymlinks: readonly string[]): SnapshotArchive {
  const treeRead = new Deferred<void>()
  const tar = uncompressed(request, furtherSymlinks)
  tar.once('end', () => treeRead.resolve())
  return guarded(request.compressor.compress(tar, request.signal), treeRead)
}

/** The archive can fail before it has a reader. The reader still sees the error; without a listener the process would end. */
function guarded(archive: Readable, treeRead: Deferred<void>): SnapshotArchive {
  archive.on('error', () => undefined)
  return { archive, treeRead: treeRead.promise }
}

/** The output of a second tar, which archives each further name as a link of its own, and then that of the first. */
function uncompressed(request: SnapshotTarRequest, furtherSymlinks: readonly string[]): Readable {
  const { upper: tree, entries, owners, signal } = request
  async function* both(): AsyncGenerator<Buffer> {
    if (furtherSymlinks.length > 0)
      yield* withoutEnd(
        writeTar({ tree, list: tarList(furtherSymlinks), sparse: false, separateLinks: true, owners, signal }),
      )
    for await (const chunk of writeTar({ tree, list: entries.read(), sparse: true, owners, signal }))
      yield chunk as Buffer
  }
  return Readable.from(both(), { objectMode: false, highWaterMark: 256 * 1024 })
}

/** An archive in records of one block ends with exactly two blocks of zeros. */
async function* withoutEnd(archive: Readable): AsyncGenerator<Buffer> {
  let held = Buffer.alloc(0)
  for await (const chunk of archive) {
    held = Buffer.concat([held, chunk as Buffer])
    if (held.length <= 2 * TAR_BLOCK) continue
    yield held.subarray(0, -2 * TAR_BLOCK)
    held = held.subarray(-2 * TAR_BLOCK)
  }
}
