import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, type BigIntStats } from 'node:fs'
import { BadInput, errnoOf } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { RUNNER } from '../../base/runner.js'
import { tarEntry, type TarEntry } from '../../base/tar-blocks.js'
import { tarTime } from '../../base/tar-time.js'
import { nativePath, shownPath } from '../../base/byte-path.js'
import type { LeftOut } from './left-out.js'
import { entryError } from './packing-error.js'
import type { GroupEntry } from './source-groups.js'
import { TarChunks } from '../../base/tar-chunks.js'

/** In bytes. A file up to this size is read before its header is written, so that it may change in between. */
const SMALL = 1024 * 1024

/**
 * The tar entries of groups. They are owned by `runner`, keep their times and permissions, and lose set-id bits.
 *
 * Everything that a file needs (open, stat, read, close) happens in four synchronous calls and without a stream. With a
 * stream for each file, fifty thousand files take a minute.
 */
export class GroupReader {
  /** Files that were read. */
  files = 0
  /** Whether an entry was not what the walk has found. */
  hasChanged = false
  readonly #chunks = new TarChunks()
  readonly #small = Buffer.allocUnsafe(SMALL)
  readonly #root: string
  readonly #prefix: string

  /**
   * @param root bytes as latin1
   * @param prefix directory inside the archive for all entries, without leading and trailing slashes; empty for none
   */
  constructor(
    root: string,
    prefix: string,
    private readonly leftOut: LeftOut,
  ) {
    this.#root = root
    this.#prefix = prefix === '' ? '' : `${prefix}/`
  }

  /**
   * The tar of a group, in chunks of equal size but the last. Throws `BadInput` (`unpackable`), `Unavailable`.
   */
  *read(entries: readonly GroupEntry[]): Generator<Buffer> {
    this.hasChanged = false
    for (const entry of entries) yield* this.#add(entry)
    yield* this.#chunks.takeAll()
  }

  /** Returns the chunks that are full. */
  *#add(entry: GroupEntry): Generator<Buffer> {
    const { path, kind, stats } = entry
    try {
      if (kind === 'file') yield* this.#file(entry)
      else if (kind === 'directory') this.#entry(path, kind, stats, {})
      else {
        const target = readlinkSync(nativePath(`${this.#root}/${path}`), 'buffer').toString('latin1')
        this.#entry(path, kind, stats, { target })
      }
    } catch (error) {
      // What is not there any more belongs to no source; nor does what a link or a directory has replaced.
      if (!/^(?:ENOENT|ENOTDIR|ELOOP|ENXIO|EINVAL)$/.test(errnoOf(error) ?? '')) throw entryError(path, error)
      this.#vanished(path)
    }
    yield* this.#chunks.take()
  }

  *#file({ path, stats: expected }: GroupEntry): Generator<Buffer> {
    // O_NONBLOCK: a named pipe that has replaced the file would block.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const handle = openSync(nativePath(`${this.#root}/${path}`), flags)
    try {
      const stats = fstatSync(handle, { bigint: true })
      if (!isSame(stats, expected)) this.hasChanged = true
      this.files += 1
      if (!stats.isFile()) this.#vanished(path)
      else if (stats.size <= SMALL) this.#smallFile(path, handle, stats)
      else yield* this.#largeFile(path, handle, stats)
    } finally {
      closeSync(handle)
    }
  }

  #smallFile(path: string, handle: number, stats: BigIntStats): void {
    const size = readFully(handle, this.#small, 0, Number(stats.size))
    this.#entry(path, 'file', stats, { size })
    this.#chunks.add(this.#small, size)
    this.#chunks.pad()
  }

  /** Of a file that grows meanwhile, this packs the length that it had at first: a log is whole up to there. */
  *#largeFile(path: string, handle: number, stats: BigIntStats): Generator<Buffer> {
    const size = Number(stats.size)
    this.#entry(path, 'file', stats, { size })
    for (let left = size; left > 0;) {
      const read = this.#chunks.fill((chunk, start) =>
        readFully(handle, chunk, start, Math.min(left, chunk.length - start)),
      )
      if (read === 0)
        throw new BadInput(
          'unpackable',
          `${quote(shownPath(path))} became shorter while it was packed: pack again when nothing changes it, or exclude it in .apcignore.`,
        )
      left -= read
      yield* this.#chunks.take()
    }
    this.#chunks.pad()
  }

  #vanished(path: string): void {
    this.hasChanged = true
    this.leftOut.add('vanished', path)
  }

  #entry(
    path: string,
    kind: TarEntry['kind'],
    { mode, mtimeNs }: BigIntStats,
    more: Pick<TarEntry, 'size' | 'target'>,
  ): void {
    const time = tarTime(mtimeNs)
    const entry = { path: `${this.#prefix}${path}`, kind, mode: Number(mode) & 0o777, owner: RUNNER, time, ...more }
    this.#chunks.add(tarEntry(entry))
  }
}

function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return (['mode', 'size', 'mtimeNs', 'ctimeNs', 'dev', 'ino'] as const).every((field) => one[field] === other[field])
}

/** Reads `wanted` bytes, or less if the file ends before. Returns their number. */
function readFully(handle: number, space: Buffer, start: number, wanted: number): number {
  let length = 0
  while (length < wanted) {
    const count = readSync(handle, space, start + length, wanted - length, null)
    if (count === 0) break
    length += count
  }
  return length
}
