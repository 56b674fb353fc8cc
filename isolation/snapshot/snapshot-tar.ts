import { Readable } from 'node:stream'
import { throughProcesses } from '../archive/filter-process.js'
import { BLOCK } from '../archive/tar-header.js'
import { tarList, tarOfList, writeTar } from '../archive/tar-writer.js'
import type { Compressor } from '../archive/compressor.js'
import type { PathSpool } from './path-spool.js'

export interface SnapshotTarRequest {
  /** Absolute path of the upper directory. */
  readonly upper: string
  /** What is to be archived; still growing. */
  readonly entries: PathSpool
  /** Further names of symbolic links that are among the entries, known when those are whole. */
  readonly furtherSymlinks: Promise<readonly string[]>
  readonly compressor: Compressor
  /** Told when nothing of the tree is read any more, which is well before the end of the archive. */
  readonly onRead: () => void
  readonly signal: AbortSignal | undefined
}

/**
 * The compressed archive of a snapshot that is still being planned: tar reads what it is told of at once, and hands it to
 * the compressor directly. Nothing is handed on before the plan is whole, though, because further names of a symbolic
 * link would have to come first: they are rare, and cost a new start.
 *
 * Rejects with what `furtherSymlinks` rejects with. Destroying the stream ends everything.
 */
export async function compressedSnapshot(request: SnapshotTarRequest): Promise<Readable> {
  const { upper, entries, compressor, onRead, signal } = request
  if (!compressor.filter) return throughNode(request, await request.furtherSymlinks)
  const tar = { ...tarOfList({ tree: upper, sparse: true }), onSuccess: onRead }
  const started = throughProcesses(entries.read(), [tar, compressor.filter], signal)
  // Nobody reads it before the plan is made, and what it fails with is told whoever reads it then.
  started.on('error', () => undefined)
  try {
    const furtherSymlinks = await request.furtherSymlinks
    if (furtherSymlinks.length === 0) return started
    started.destroy()
    return throughNode(request, furtherSymlinks)
  } catch (error) {
    started.destroy()
    throw error
  }
}

function throughNode(request: SnapshotTarRequest, furtherSymlinks: readonly string[]): Readable {
  const { compressor, onRead, signal } = request
  const tar = snapshotTar(request, furtherSymlinks)
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
function snapshotTar({ upper, entries, signal }: SnapshotTarRequest, furtherSymlinks: readonly string[]): Readable {
  async function* both(): AsyncGenerator<Buffer> {
    if (furtherSymlinks.length > 0)
      yield* withoutEnd(
        writeTar({ tree: upper, list: tarList(furtherSymlinks), sparse: false, separateLinks: true, signal }),
      )
    for await (const chunk of writeTar({ tree: upper, list: entries.read(), sparse: true, signal }))
      yield chunk as Buffer
  }
  return Readable.from(both(), { objectMode: false, highWaterMark: 256 * 1024 })
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
