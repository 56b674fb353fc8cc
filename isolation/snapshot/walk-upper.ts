import { closeSync, constants, type Dirent, lstatSync, opendirSync, openSync, type Stats } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { BadInput, errnoOf, Fault, messageOf, StagerdError, TooLarge } from '../../base/errors.js'
import { DEFAULT_ARCHIVE_LIMITS, LONGEST_PATH } from '../archive/limits.js'
import { bytesOf, show } from '../archive/names.js'
import type { EntryKind } from '../archive/tree.js'

/** An entry of an upper directory. */
export interface Change {
  /** From the upper directory, without a leading slash; bytes as latin1. */
  readonly path: string
  readonly kind: EntryKind
  /** Of symbolic links, devices, and the files of `Walk.needsStats`: an `lstat` of everything would take too long. */
  readonly stats?: Pick<Stats, 'size' | 'rdev' | 'nlink' | 'ino'>
}

export interface Walk {
  /** Takes the next entry; false when it is of no interest, nor what is below it. */
  readonly visit: (change: Change) => boolean
  readonly needsStats: (path: string) => boolean
  readonly signal?: AbortSignal | undefined
}

/** After so many milliseconds others get their turn. */
const STRETCH_MS = 2
/** Names that are read of a directory at a time. */
const BATCH = 512

/**
 * Visit what is below `upper`: each directory before what it holds, names in the order of their bytes. So the order is
 * the same for the same tree, and no more is in memory than the names of one directory and of those above it.
 *
 * - Directories tell the kinds of what they hold, which saves an `lstat` of each file.
 * - Synchronous, with pauses: ten thousand files take 10 ms, and five times as long by way of the thread pool.
 * - By handles, because a path may be longer than one call takes: /proc/self/fd/N/name stands for the openat(2) that
 *   Node does not have.
 *
 * Throws `BadInput` (`path-too-long`) and `TooLarge` (`snapshot-too-large`) for what nobody could unpack again, `Fault`
 * (`walk-failed`).
 */
export async function walkUpper(upper: string, walk: Walk): Promise<void> {
  try {
    const root = openSync(upper, constants.O_RDONLY | constants.O_DIRECTORY)
    await new Walker(walk).directory(root, '', 1)
  } catch (error) {
    if (error instanceof StagerdError || errnoOf(error) === undefined) throw error
    throw new Fault('walk-failed', `The files that the container changed could not be listed: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}

class Walker {
  #entries = 0
  #pathBytes = 0
  #turnBegan = performance.now()

  constructor(private readonly walk: Walk) {}

  /** Owns `handle`. */
  async directory(handle: number, path: string, depth: number): Promise<void> {
    const place = `/proc/self/fd/${handle}`
    try {
      for (const entry of await this.#namesIn(place)) {
        if (this.#isTurnOver()) await this.#letOthers()
        const name = bytesOf(`${place}/${entry.name}`)
        const change = this.#describe(name, path === '' ? entry.name : `${path}/${entry.name}`, entry)
        if (!this.walk.visit(change)) continue
        this.#assertFits(change.path, depth)
        if (change.kind !== 'directory') continue
        const inner = openSync(name, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
        await this.directory(inner, change.path, depth + 1)
      }
    } finally {
      closeSync(handle)
    }
  }

  async #namesIn(place: string): Promise<Dirent[]> {
    const entries: Dirent[] = []
    const directory = opendirSync(place, { encoding: 'latin1', bufferSize: BATCH })
    try {
      for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
        entries.push(entry)
        if (this.#isTurnOver()) await this.#letOthers()
      }
    } finally {
      directory.closeSync()
    }
    return entries.sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  #describe(name: Buffer, path: string, entry: Dirent): Change {
    const kind = kindOf(entry)
    if (kind === undefined) throw new Fault('walk-failed', `The filesystem does not tell what ${show(`/${path}`)} is.`)
    const isPlain = kind === 'directory' || kind === 'file'
    return isPlain && !this.walk.needsStats(path) ? { path, kind } : { path, kind, stats: lstatSync(name) }
  }

  #assertFits(path: string, depth: number): void {
    const { entries, pathBytes, depth: deepest } = DEFAULT_ARCHIVE_LIMITS
    if (path.length > LONGEST_PATH)
      throw new BadInput(
        'path-too-long',
        `A snapshot is not possible: ${show(`/${path}`)} is a path of ${path.length} bytes, and no archive can be unpacked with more than ${LONGEST_PATH}; remove it, or exclude it.`,
      )
    this.#entries += 1
    this.#pathBytes += path.length
    if (this.#entries > entries || this.#pathBytes > pathBytes)
      throw new TooLarge(
        'snapshot-too-large',
        `A snapshot is not possible: a package holds at most ${entries} entries, with ${pathBytes} bytes of paths together.`,
      )
    if (depth > deepest)
      throw new TooLarge(
        'snapshot-too-large',
        `A snapshot is not possible: ${show(`/${path}`)} is deeper than ${deepest} directories.`,
      )
  }

  #isTurnOver(): boolean {
    return performance.now() - this.#turnBegan > STRETCH_MS
  }

  async #letOthers(): Promise<void> {
    await setImmediate()
    this.walk.signal?.throwIfAborted()
    this.#turnBegan = performance.now()
  }
}

function kindOf(entry: Dirent): EntryKind | undefined {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'directory'
  if (entry.isSymbolicLink()) return 'symlink'
  if (entry.isCharacterDevice()) return 'character-device'
  if (entry.isSocket()) return 'socket'
  if (entry.isFIFO()) return 'fifo'
  if (entry.isBlockDevice()) return 'block-device'
  return undefined
}
