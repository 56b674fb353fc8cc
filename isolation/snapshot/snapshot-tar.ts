import { Readable } from 'node:stream'
import { throughProcesses } from '../archive/filter-process.js'
import { BLOCK } from '../archive/tar-header.js'
import { tarList, tarOfList, writeTar } from '../archive/tar-writer.js'
import type { Compressor } from './compressor.js'
import type { PathSpool } from './path-spool.js'

/** What is to be archived. */
export interface SnapshotContents {
  readonly entries: PathSpool
  /** Further names of symbolic links that are among the entries. */
  readonly furtherSymlinks: readonly string[]
}

export interface SnapshotTarRequest {
  /** Absolute path of the upper directory. */
  readonly upper: string
  readonly planned: Promise<SnapshotContents>
  readonly compressor: Compressor
  /** Told when nothing of the tree is read any more, which is well before the end of the archive. */
  readonly onRead: () => void
  readonly signal: AbortSignal | undefined
}

/**
 * The compressed archive of a snapshot that is still being planned. tar and the compressor are started at once, since
 * their confinement takes as long to make as the plan, and hand bytes to each other directly.
 *
 * Rejects with what `planned` rejects with. Destroying the stream ends everything.
 */
export async function compressedSnapshot(request: SnapshotTarRequest): Promise<Readable> {
  const { upper, planned, compressor, onRead, signal } = request
  if (!compressor.filter) return throughNode(request, await planned)
  const tar = { ...tarOfList({ tree: upper, sparse: true }), onSuccess: onRead }
  const started = throughProcesses(listOf(planned), [tar, compressor.filter], signal)
  // Nobody reads it before the plan is made, and what it fails with is told whoever reads it then.
  started.on('error', () => undefined)
  try {
    const contents = await planned
    if (contents.furtherSymlinks.length === 0) return started
    started.destroy()
    return throughNode(request, contents)
  } catch (error) {
    started.destroy()
    throw error
  }
}

/** Nothing for a snapshot that a single tar cannot write. */
function listOf(planned: Promise<SnapshotContents>): Readable {
  async function* list(): AsyncGenerator<Buffer> {
    const { entries, furtherSymlinks } = await planned
    if (furtherSymlinks.length === 0) yield* listed(entries)
  }
  return Readable.from(list(), { objectMode: false })
}

function throughNode({ upper, compressor, onRead, signal }: SnapshotTarRequest, contents: SnapshotContents): Readable {
  const tar = snapshotTar(upper, contents, signal)
  tar.once('end', onRead)
  return compressor.compress(tar, signal)
}

/**
 * The uncompressed archive of a snapshot.
 *
 * GNU tar archives the further names of a symbolic link as hard links to it, and no upload may hold a hard link to what
 * is not a file. So they are archived by a second tar, which is told to see each as a link of its own, and whose output
 * goes before that of the first, without its end.
 */
function snapshotTar(upper: string, { entries, furtherSymlinks }: SnapshotContents, signal?: AbortSignal): Readable {
  async function* both(): AsyncGenerator<Buffer> {
    if (furtherSymlinks.length > 0)
      yield* withoutEnd(
        writeTar({ tree: upper, list: tarList(furtherSymlinks), sparse: false, separateLinks: true, signal }),
      )
    const list = Readable.from(listed(entries), { objectMode: false })
    for await (const chunk of writeTar({ tree: upper, list, sparse: true, signal })) yield chunk as Buffer
  }
  return Readable.from(both(), { objectMode: false, highWaterMark: 256 * 1024 })
}

/** An archive without entries is taken for a broken one: what stands for a snapshot of nothing is the root itself. */
async function* listed(entries: PathSpool): AsyncGenerator<Buffer> {
  if (entries.count === 0) entries.add('.')
  for await (const chunk of entries.read()) yield chunk as Buffer
}

/** An archive in records of one block ends with exactly two blocks of zeros. */
async function* withoutEnd(archive: Readable): AsyncGenerator<Buffer> {
  let held = Buffer.alloc(0)
  for await (const chunk of archive) {
    held = Buffer.concat([held, chunk as Buffer])
    if (held.length <= 2 * BLOCK) continue
    yield held.subarray(0, -2 * BLOCK)
    held = held.subarray(-2 * BLOCK)
  }
}
