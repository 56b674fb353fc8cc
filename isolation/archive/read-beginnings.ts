import { Writable, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ArchiveEntry } from '../archive-entry.js'
import type { ArchiveLimits } from './limits.js'
import { openScanner } from './scan.js'
import type { ArchiveObserver } from '../archive-observer.js'

export interface BeginningsOptions {
  readonly limits: ArchiveLimits
  /** Paths from the root of the archive; bytes as latin1. */
  readonly isWanted: (path: string) => boolean
  /** What is read of one file, in bytes. */
  readonly bytesOfOne: number
  /** What is read of all of them. Of files beyond that, nothing is read. */
  readonly bytesOfAll: number
  readonly signal: AbortSignal
}

/**
 * The beginnings of some files of an archive that the scanner has accepted before, by their paths. A symbolic link has
 * none, so its text is empty. Memory is bounded by the options and the limits.
 *
 * `compressed` is read to its end, or destroyed when this rejects, as `scanArchive` does.
 */
export async function readBeginnings(
  compressed: Readable,
  options: BeginningsOptions,
): Promise<ReadonlyMap<string, Buffer>> {
  const observer = new Beginnings(options)
  const { limits, signal } = options
  try {
    const { scanner, plain } = await openScanner(compressed, limits, { strict: false, observer, signal })
    const discard = new Writable({ write: (_chunk, _encoding, done) => done() })
    await pipeline(plain, scanner, discard, { signal })
    return observer.found
  } catch (error) {
    compressed.destroy()
    throw error
  }
}

class Beginnings implements ArchiveObserver {
  readonly found = new Map<string, Buffer>()
  #open: string | undefined
  #bytes = 0

  constructor(private readonly options: Omit<BeginningsOptions, 'signal' | 'limits'>) {}

  member(path: string, { kind }: ArchiveEntry): void {
    this.#open = undefined
    if (kind === 'directory' || !this.options.isWanted(path)) return
    this.found.set(path, Buffer.alloc(0))
    if (kind === 'file') this.#open = path
  }

  hardLink(path: string, target: string): void {
    this.#open = undefined
    if (this.options.isWanted(path)) this.found.set(path, this.found.get(target) ?? Buffer.alloc(0))
  }

  data(piece: Buffer): void {
    if (this.#open === undefined) return
    const before = this.found.get(this.#open) ?? Buffer.alloc(0)
    const { bytesOfOne, bytesOfAll } = this.options
    const room = Math.min(bytesOfOne - before.length, bytesOfAll - this.#bytes)
    if (room <= 0) return
    const taken = piece.subarray(0, room)
    this.#bytes += taken.length
    // The scanner uses the memory of the piece again.
    this.found.set(this.#open, Buffer.concat([before, taken]))
  }
}
