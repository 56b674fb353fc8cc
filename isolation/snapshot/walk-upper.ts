import { closeSync, constants, type Dirent, lstatSync, opendirSync, openSync, type Stats } from 'node:fs'
import { BadInput, errnoOf, Fault, messageOf, StagerdError, TooLarge } from '../../base/errors.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../archive/limits.js'
import { bytesOf, show } from '../archive/names.js'
import { LONGEST_PATH } from '../path-rules.js'
import { type EntryKind, KINDS } from '../archive/tree.js'
import { sortInSlices } from './sort-in-slices.js'
import { TimeSlice } from './time-slice.js'

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

/** Names that are read of a directory at a time. */
const BATCH = 512

/**
 * Visit what is below `upper`: each directory before what it holds, names in the order of their bytes. So it is the same
 * for the same tree, and no more is in memory than the names of one directory and of those above it, each of which holds
 * at most as many as a package may have entries.
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
  readonly #stretch: TimeSlice

  constructor(private readonly walk: Walk) {
    this.#stretch = new TimeSlice(walk.signal)
  }

  /** Owns `handle`. */
  async directory(handle: number, path: string, depth: number): Promise<void> {
    const place = `/proc/self/fd/${handle}`
    try {
      for (const known of await this.#namesIn(place, path)) {
        if (this.#stretch.isOver) await this.#stretch.yield()
        const name = known.slice(0, -2)
        const kind = KINDS[known.slice(-1)] ?? 'file'
        const change = this.#describe(`${place}/${name}`, path === '' ? name : `${path}/${name}`, kind)
        if (!this.walk.visit(change)) continue
        this.#assertFits(change.path, depth)
        if (kind !== 'directory') continue
        const inner = openSync(
          bytesOf(`${place}/${name}`),
          constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
        )
        await this.directory(inner, change.path, depth + 1)
      }
    } finally {
      closeSync(handle)
    }
  }

  /** Sorted; behind each name a NUL, which comes before all that a name can hold, and a letter of `KINDS`. */
  async #namesIn(place: string, path: string): Promise<string[]> {
    const names: string[] = []
    const directory = opendirSync(place, { encoding: 'latin1', bufferSize: BATCH })
    try {
      for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
        names.push(`${entry.name}\0${letterOf(entry, path)}`)
        if (names.length > DEFAULT_ARCHIVE_LIMITS.entries)
          throw tooLarge(`${show(`/${path}`)} holds more than ${DEFAULT_ARCHIVE_LIMITS.entries} names`)
        if (this.#stretch.isOver) await this.#stretch.yield()
      }
    } finally {
      directory.closeSync()
    }
    return await sortInSlices(names, this.#stretch)
  }

  #describe(file: string, path: string, kind: EntryKind): Change {
    const isPlain = kind === 'directory' || kind === 'file'
    return isPlain && !this.walk.needsStats(path) ? { path, kind } : { path, kind, stats: lstatSync(bytesOf(file)) }
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
      throw tooLarge(`a package holds at most ${entries} entries, with ${pathBytes} bytes of paths together`)
    if (depth > deepest) throw tooLarge(`${show(`/${path}`)} is deeper than ${deepest} directories`)
  }
}

function letterOf(entry: Dirent, path: string): string {
  if (entry.isFile()) return 'f'
  if (entry.isDirectory()) return 'd'
  if (entry.isSymbolicLink()) return 'l'
  if (entry.isCharacterDevice()) return 'c'
  if (entry.isSocket()) return 's'
  if (entry.isFIFO()) return 'p'
  if (entry.isBlockDevice()) return 'b'
  throw new Fault('walk-failed', `The filesystem does not tell what ${show(entry.name)} in ${show(`/${path}`)} is.`)
}

function tooLarge(why: string): TooLarge {
  return new TooLarge('snapshot-too-large', `A snapshot is not possible: ${why}.`)
}
