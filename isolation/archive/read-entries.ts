import { createHash, type Hash } from 'node:crypto'
import { Writable, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { packEntry, type ArchiveEntries, type ArchiveEntry, type PackedEntry } from '../archive-entry.js'
import type { ArchiveLimits } from './limits.js'
import { openScanner } from './scan.js'
import type { ArchiveObserver } from '../archive-observer.js'

/**
 * Reads the entries of an archive that the scanner has accepted before. Memory is bounded by the limits. Of two entries
 * with one name the later one counts, as when they are unpacked.
 *
 * `compressed` is read to its end, or destroyed when this rejects, as `scanArchive` does.
 */
export async function readEntries(
  compressed: Readable,
  limits: ArchiveLimits,
  signal: AbortSignal,
): Promise<ArchiveEntries> {
  const entries = new Entries()
  try {
    const { scanner, plain } = await openScanner(compressed, limits, { strict: false, observer: entries, signal })
    const discard = new Writable({ write: (_chunk, _encoding, done) => done() })
    await pipeline(plain, scanner, discard, { signal })
    entries.finish()
    return entries.found
  } catch (error) {
    compressed.destroy()
    throw error
  }
}

class Entries implements ArchiveObserver {
  readonly found = new Map<string, PackedEntry>()
  #file: { readonly path: string; readonly entry: ArchiveEntry; readonly hash: Hash } | undefined

  member(path: string, entry: ArchiveEntry): void {
    this.finish()
    if (path === '') return
    if (entry.kind === 'file') this.#file = { path, entry, hash: createHash('sha256') }
    else this.found.set(path, packEntry(entry))
  }

  /** The target is an earlier file. */
  hardLink(path: string, target: string): void {
    this.finish()
    const file = this.found.get(target)
    if (file !== undefined) this.found.set(path, file)
  }

  data(piece: Buffer): void {
    this.#file?.hash.update(piece)
  }

  /** To be called after the last entry. */
  finish(): void {
    if (!this.#file) return
    const { path, entry, hash } = this.#file
    this.#file = undefined
    // Half of the digest tells a million files apart, and is half of their memory.
    this.found.set(path, packEntry({ ...entry, content: hash.digest('hex').slice(0, 32) }))
  }
}
