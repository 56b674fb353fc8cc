import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync, type BigIntStats } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { BadInput, errnoOf } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { END_OF_ARCHIVE, tarEntry, type TarEntry } from '../../base/tar-blocks.js'
import { tarTime } from '../../base/tar-time.js'
import { nativePath, shownPath } from './byte-path.js'
import type { LeftOut } from './left-out.js'
import { entryError } from './packing-error.js'
import { SameFile } from './same-file.js'
import { TarChunks } from './tar-chunks.js'
import { walkSource, type SourceEntry } from './walk-source.js'

/** UID and GID of `runner`, the user that stagers run as. */
export const OWNER = 99

/** In bytes. A file up to this size is read before its header is written, so that it may change in between. */
const SMALL = 1024 * 1024

/** After so many entries the event loop gets a turn, even if they fill no chunk. */
const ENTRIES_PER_TURN = 256

export interface SourceTarRequest {
  /** The real path of the directory. */
  readonly root: string
  /** Directory inside the archive for all entries, without leading and trailing slashes; empty for none. */
  readonly prefix: string
  readonly leftOut: LeftOut
  /** Absolute paths of files that the archive does not contain, under any name. */
  readonly leaveOut?: readonly string[] | undefined
  /** Called for each chunk, with its size in bytes. */
  readonly onBytes?: ((count: number) => void) | undefined
}

/**
 * The tar of a source, in chunks of equal size: the same tree gives the same chunks. Entries are owned by `runner`, keep
 * their times and permissions, and lose set-id bits.
 *
 * Everything that a file needs (open, stat, read, close) happens in four synchronous calls and without a stream. With a
 * stream for each file, fifty thousand files take a minute.
 *
 * Throws `BadInput` (`unpackable`, `nothing-to-pack`, `bad-ignore-file`), `Unavailable`.
 */
export async function* sourceTar(request: SourceTarRequest): AsyncGenerator<Buffer> {
  const source = new SourceTar(request)
  let entries = 0
  if (request.prefix !== '') source.addPrefix()
  for (const entry of walkSource(source.root)) {
    for (const chunk of source.add(entry)) {
      request.onBytes?.(chunk.length)
      yield chunk
      // The compressor's thread hands over its results only between turns.
      await setImmediate()
    }
    if (++entries % ENTRIES_PER_TURN === 0) await setImmediate()
  }
  if (source.isEmpty)
    throw new BadInput(
      'nothing-to-pack',
      `${quote(request.root)} contains nothing to pack: add the source there, or make .apcignore exclude less.`,
    )
  for (const chunk of source.end()) {
    request.onBytes?.(chunk.length)
    yield chunk
  }
}

class SourceTar {
  isEmpty = true
  readonly root: string
  readonly #prefix: string
  readonly #chunks = new TarChunks()
  readonly #small = Buffer.allocUnsafe(SMALL)
  readonly #omitted: SameFile

  constructor(private readonly request: SourceTarRequest) {
    this.root = Buffer.from(request.root, 'utf8').toString('latin1')
    this.#prefix = request.prefix === '' ? '' : `${request.prefix}/`
    this.#omitted = new SameFile(request.leaveOut ?? [])
  }

  /** `runner` owns the directory, because a stager unpacks its package there. */
  addPrefix(): void {
    const { mtimeNs } = lstatSync(nativePath(this.root), { bigint: true })
    this.#header({ path: this.request.prefix, kind: 'directory', mode: 0o755, time: tarTime(mtimeNs) })
  }

  /** Returns the chunks that are full. */
  *add({ path, kind }: SourceEntry): Generator<Buffer> {
    try {
      if (kind === 'file') yield* this.#file(path)
      else if (kind === 'directory' || kind === 'symlink') this.#other(path, kind)
      else this.request.leftOut.add(kind, path)
    } catch (error) {
      // What is not there any more belongs to no source; nor does what a link or a directory has replaced.
      if (!/^(?:ENOENT|ENOTDIR|ELOOP|ENXIO|EINVAL)$/.test(errnoOf(error) ?? '')) throw entryError(path, error)
      this.request.leftOut.add('vanished', path)
    }
    yield* this.#chunks.take()
  }

  *end(): Generator<Buffer> {
    this.#chunks.add(END_OF_ARCHIVE)
    yield* this.#chunks.takeAll()
  }

  *#file(path: string): Generator<Buffer> {
    // O_NONBLOCK: a named pipe that has replaced the file would block.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const handle = openSync(nativePath(`${this.root}/${path}`), flags)
    try {
      const stats = fstatSync(handle, { bigint: true })
      if (this.#omitted.has(stats)) return
      if (!stats.isFile()) this.request.leftOut.add('vanished', path)
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

  #other(path: string, kind: 'directory' | 'symlink'): void {
    const place = nativePath(`${this.root}/${path}`)
    const stats = lstatSync(place, { bigint: true })
    if (kind === 'directory') this.#entry(path, kind, stats, {})
    else if (!this.#omitted.has(stats))
      this.#entry(path, kind, stats, { target: readlinkSync(place, 'buffer').toString('latin1') })
  }

  #entry(
    path: string,
    kind: TarEntry['kind'],
    { mode, mtimeNs }: BigIntStats,
    more: Pick<TarEntry, 'size' | 'target'>,
  ): void {
    this.isEmpty = false
    this.#header({ path: `${this.#prefix}${path}`, kind, mode: Number(mode) & 0o777, time: tarTime(mtimeNs), ...more })
  }

  #header(entry: Omit<TarEntry, 'owner'>): void {
    this.#chunks.add(tarEntry({ ...entry, owner: OWNER }))
  }
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
