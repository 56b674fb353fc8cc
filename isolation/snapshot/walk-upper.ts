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
  /** Only for special files, symbolic links, and the files of `Walk.needsStats`: an `lstat` of every file is slow. */
  readonly stats?: Pick<Stats, 'size' | 'rdev' | 'nlink' | 'ino'>
}

export interface Walk {
  /** Takes the next entry. False skips what is below it. */
  readonly visit: (change: Change) => boolean
  readonly needsStats: (path: string) => boolean
  readonly signal?: AbortSignal | undefined
}

/** How many directory entries are read at a time. */
const BATCH = 512

/**
 * Visits everything below `upper`: a directory before its entries, names in byte order. So the order is the same for the
 * same tree, and memory holds only the names of the current directory and its ancestors. A directory may have at most as
 * many names as a package may have entries.
 *
 * - Directory entries include their type, which saves an `lstat` of each file.
 * - The calls are synchronous, with pauses: ten thousand files take 10 ms, and through the thread pool five times that.
 * - It walks by file descriptors, because a path can be longer than a system call accepts: /proc/self/fd/N/name replaces
 *   openat(2), which Node lacks.
 *
 * Throws `BadInput` (`path-too-long`) and `TooLarge` (`snapshot-too-large`) for what could not be unpacked again, `Fault`
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
  readonly #slice: TimeSlice

  constructor(private readonly walk: Walk) {
    this.#slice = new TimeSlice(walk.signal)
  }

  /** Closes `handle`. */
  async directory(handle: number, path: string, depth: number): Promise<void> {
    const place = `/proc/self/fd/${handle}`
    try {
      for (const known of await this.#namesIn(place, path)) {
        if (this.#slice.isOver) await this.#slice.yield()
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

  /** Sorted. A NUL and a letter of `KINDS` follow each name: a NUL sorts before every byte that a name can have. */
  async #namesIn(place: string, path: string): Promise<string[]> {
    const names: string[] = []
    const directory = opendirSync(place, { encoding: 'latin1', bufferSize: BATCH })
    try {
      for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
        names.push(`${entry.name}\0${letterOf(entry, path)}`)
        if (names.length > DEFAULT_ARCHIVE_LIMITS.entries)
          throw tooLarge(`${show(`/${path}`)} holds more than ${DEFAULT_ARCHIVE_LIMITS.entries} names`)
        if (this.#slice.isOver) await this.#slice.yield()
      }
    } finally {
      directory.closeSync()
    }
    return await sortInSlices(names, this.#slice)
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
