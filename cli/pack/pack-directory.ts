import { lstatSync, realpathSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { RUNNER } from '../../base/runner.js'
import { END_OF_ARCHIVE, tarEntry } from '../../base/tar-blocks.js'
import { tarTime } from '../../base/tar-time.js'
import type { Io } from '../terminal/io.js'
import { nativePath } from '../../base/byte-path.js'
import { GroupReader } from './group-reader.js'
import { LeftOut } from './left-out.js'
import { locateSource } from './locate-source.js'
import { SameFile } from './same-file.js'
import { SegmentSpool, type Flushed, type PlacedSegment } from './segment-spool.js'
import { sourceGroups } from './source-groups.js'
import type { Tarball } from './tarball.js'

export interface PackDirectory {
  /** Absolute. */
  readonly directory: string
  /** The directory as the user wrote it, for messages. */
  readonly given?: string
  /** Directory inside the archive for all entries, without leading and trailing slashes; empty for none. */
  readonly prefix: string
  /** Absolute paths of files that the archive does not contain, under any name. */
  readonly leaveOut?: readonly string[]
  readonly env: Io['env']
  readonly signal: AbortSignal
  /** Called for each chunk that is read, with its size before compression in bytes. */
  readonly onBytes?: (count: number) => void
  /** By the keys of groups: what need not be read again. */
  readonly known?: ReadonlyMap<string, Flushed>
  /** In milliseconds since 1970; the host's by default. */
  readonly clock?: () => number
}

export interface PackedDirectory {
  readonly segments: readonly PlacedSegment[]
  /** Of the whole archive, in bytes. */
  readonly length: number
  /** Files that were read, of all. */
  readonly files: { readonly read: number; readonly all: number }
  /** By the keys of groups, for the next time. */
  readonly groups: ReadonlyMap<string, Flushed>
  readonly notes: readonly string[]
  /** The whole archive; undefined where a part of it is known and was not read. */
  readonly tarball: Tarball | undefined
  /** The bytes of a segment that was read. */
  readonly readSegment: (segment: PlacedSegment) => Promise<Buffer>
  readonly dispose: () => Promise<void>
}

/** The key of what ends each archive, in the place of a group's. */
const END = 'end'

/** Packs a directory with all that it has: see `packKnownDirectory`. */
export async function packDirectory(request: Omit<PackDirectory, 'known'>): Promise<Tarball> {
  return wholeArchive(await packKnownDirectory(request))
}

/** The archive of a directory of which nothing was known. */
export function wholeArchive({ tarball, notes }: PackedDirectory): Tarball {
  if (!tarball) throw new Error('a part of the directory was not read')
  return { ...tarball, notes }
}

/**
 * Packs a directory into a gzipped tarball and computes its digest. The same tree gives the same bytes. Sockets, named
 * pipes and devices are left out, as in a snapshot; `notes` says so.
 *
 * What is known is neither read nor spooled. The archive is the same.
 *
 * Throws `NotFound` (`no-such-source`), `BadInput` (`not-a-directory`, `unpackable`, `nothing-to-pack`,
 * `bad-ignore-file`, `no-temporary-directory`), `Unavailable` (`disk-full`, `source-unreadable`).
 */
export async function packKnownDirectory(request: PackDirectory): Promise<PackedDirectory> {
  const { directory, given = directory, env, signal } = request
  if (locateSource(directory, given) !== 'directory')
    throw new BadInput('not-a-directory', `${quote(given)} is a file: give the directory that contains it.`)
  const spool = await SegmentSpool.open(env)
  try {
    return await fill(spool, realpathSync.native(directory), request)
  } catch (error) {
    await spool.bytes.close()
    signal.throwIfAborted()
    throw error
  }
}

async function fill(
  spool: SegmentSpool,
  root: string,
  { prefix, leaveOut = [], signal, onBytes = () => undefined, known = new Map(), clock }: PackDirectory,
): Promise<PackedDirectory> {
  const leftOut = new LeftOut()
  const bytes = Buffer.from(root, 'utf8').toString('latin1')
  const reader = new GroupReader(bytes, prefix, leftOut)
  const groups = new Map<string, Flushed>()
  const pending: Promise<unknown>[] = []
  let all = 0
  let isEmpty = true
  if (prefix !== '') await spool.add([prefixEntry(bytes, prefix)])
  for (const group of sourceGroups({ root: bytes, omitted: new SameFile(leaveOut), leftOut, clock })) {
    all += group.entries.filter(({ kind }) => kind === 'file').length
    const found = known.get(group.key)
    if (found) {
      groups.set(group.key, found)
      await spool.addKnown(found)
      isEmpty = false
    } else {
      const { flushed } = await spool.add(metered(reader.read(group.entries), onBytes))
      const isSettled = group.isSettled && !reader.hasChanged
      const noted = flushed.then((result) => {
        if (result.length > 0) isEmpty = false
        if (isSettled) groups.set(group.key, result)
      })
      // `spool` fails with the same error.
      noted.catch(() => undefined)
      pending.push(noted)
    }
    // The compressor's threads hand over their results only between turns.
    await setImmediate()
    signal.throwIfAborted()
  }
  await Promise.all(pending)
  if (isEmpty)
    throw new BadInput(
      'nothing-to-pack',
      `${quote(root)} contains nothing to pack: add the source there, or make .apcignore exclude less.`,
    )
  const end = known.get(END)
  if (end) await spool.addKnown(end)
  const { flushed } = end ? { flushed: end } : await spool.add([END_OF_ARCHIVE])
  // Alone, it would save nothing.
  if (groups.size > 0) groups.set(END, await flushed)
  await spool.finish()
  const { segments, sha256 } = spool
  const length = segments.reduce((total, segment) => total + segment.length, 0)
  const dispose = () => spool.bytes.close()
  return {
    segments,
    length,
    files: { read: reader.files, all },
    groups,
    notes: leftOut.sentences(),
    tarball: sha256 === undefined ? undefined : { sha256, length, read: () => spool.bytes.chunks(), dispose },
    readSegment: ({ at = 0, length: wanted }) => spool.bytes.read(at, wanted),
    dispose,
  }
}

/** `runner` owns the directory, because a stager unpacks its package there. */
function prefixEntry(root: string, prefix: string): Buffer {
  const time = tarTime(lstatSync(nativePath(root), { bigint: true }).mtimeNs)
  return tarEntry({ path: prefix, kind: 'directory', mode: 0o755, owner: RUNNER, time })
}

function* metered(chunks: Iterable<Buffer>, onBytes: (count: number) => void): Generator<Buffer> {
  for (const chunk of chunks) {
    onBytes(chunk.length)
    yield chunk
  }
}
