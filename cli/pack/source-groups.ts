import { createHash } from 'node:crypto'
import { lstatSync, type BigIntStats } from 'node:fs'
import { errnoOf } from '../../base/errors.js'
import { nativePath } from '../../base/byte-path.js'
import type { LeftOut } from './left-out.js'
import { entryError } from './packing-error.js'
import type { SameFile } from './same-file.js'
import { CHUNK } from '../../base/tar-chunks.js'
import { walkSource } from './walk-source.js'

export interface GroupEntry {
  /** Relative to the directory; bytes as latin1. */
  readonly path: string
  readonly kind: 'file' | 'directory' | 'symlink'
  /** When the walk has come to it. */
  readonly stats: BigIntStats
}

/** Entries that follow each other, and that are compressed independently of all others. Never empty. */
export interface SourceGroup {
  readonly entries: readonly GroupEntry[]
  /** A digest of all that tells that nothing of the group has changed, without reading it. */
  readonly key: string
  /** Whether each change that comes after the walk changes the key. */
  readonly isSettled: boolean
}

/**
 * In nanoseconds. A change so soon after another one may leave the times as they are: two seconds is the coarsest clock
 * of a filesystem.
 */
const CLOCK_GRAIN = 2_000_000_000n

/** In bytes. A smaller group would cost more for its beginning than is saved when it is not sent. */
const SMALLEST = 64 * 1024

/** One path in so many may begin a group. */
const PATHS_PER_CUT = 16

/** A header, and half a block to fill up the last one. */
const ENTRY_COST = 768

export interface SourceWalk {
  /** Bytes as latin1. */
  readonly root: string
  /** Files that no group contains, under any name. */
  readonly omitted: SameFile
  readonly leftOut: LeftOut
  /** In milliseconds since 1970; the host's by default. */
  readonly clock?: (() => number) | undefined
}

/**
 * Divides what a walk finds. Where a group begins depends on the names and sizes nearby, so that an entry that is added
 * or removed changes only the groups around it.
 *
 * Entries that vanish meanwhile, and those that a package cannot hold, are left out. Throws as `walkSource`.
 */
export function* sourceGroups({ clock = Date.now, ...walk }: SourceWalk): Generator<SourceGroup> {
  const now = () => BigInt(clock()) * 1_000_000n
  let entries: GroupEntry[] = []
  let length = 0
  let began = now()
  for (const found of walkSource(walk.root)) {
    const entry = examine(walk, found)
    if (!entry) continue
    const cost = ENTRY_COST + (entry.kind === 'file' ? Number(entry.stats.size) : 0)
    const isFull = length + cost > CHUNK || (length >= SMALLEST && mayBegin(entry.path))
    if (isFull && entries.length > 0) {
      yield groupOf(entries, began)
      entries = []
      length = 0
      began = now()
    }
    entries.push(entry)
    length += cost
  }
  if (entries.length > 0) yield groupOf(entries, began)
}

function examine(
  { root, omitted, leftOut }: SourceWalk,
  { path, kind }: { readonly path: string; readonly kind: GroupEntry['kind'] | 'socket' | 'special' },
): GroupEntry | undefined {
  if (kind === 'socket' || kind === 'special') {
    leftOut.add(kind, path)
    return undefined
  }
  try {
    const stats = lstatSync(nativePath(`${root}/${path}`), { bigint: true })
    return omitted.has(stats) ? undefined : { path, kind, stats }
  } catch (error) {
    if (!/^(?:ENOENT|ENOTDIR|ELOOP)$/.test(errnoOf(error) ?? '')) throw entryError(path, error)
    leftOut.add('vanished', path)
    return undefined
  }
}

function groupOf(entries: readonly GroupEntry[], began: bigint): SourceGroup {
  const hash = createHash('sha256')
  let text = ''
  let isSettled = true
  for (const { path, kind, stats } of entries) {
    const { mode, mtimeNs, ctimeNs } = stats
    // The archive has nothing of a directory but these.
    text += `${path}\0${mode}\0${mtimeNs}\0`
    if (kind === 'directory') continue
    text += `${stats.size}\0${ctimeNs}\0${stats.dev}\0${stats.ino}\0`
    const newest = mtimeNs > ctimeNs ? mtimeNs : ctimeNs
    if (newest + CLOCK_GRAIN >= began) isSettled = false
  }
  return { entries, key: hash.update(text, 'latin1').digest('hex'), isSettled }
}

/** FNV-1a: cheap, and the same everywhere. */
function mayBegin(path: string): boolean {
  let hash = 0x811c9dc5
  for (let at = 0; at < path.length; at++) hash = Math.imul(hash ^ path.charCodeAt(at), 0x01000193)
  // The lower bits depend on the last character more than on the others.
  return ((hash >>> 15) ^ hash) % PATHS_PER_CUT === 0
}
