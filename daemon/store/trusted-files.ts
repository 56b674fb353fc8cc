import type { BigIntStats } from 'node:fs'

/** How long a file is trusted: after that its content is verified again, because disks decay. */
const TRUST_MS = 24 * 60 * 60 * 1000
/** Bounds the memory, at about a hundred bytes for each file. The oldest entry is dropped beyond it. */
const MAX_FILES = 20_000

/**
 * The files of blobs whose content is known to match their names, so that they can be sent without being read.
 *
 * INVARIANTS
 * - A file is trusted only if this process has hashed all of its bytes, while it wrote or read them. Trust is kept in
 *   memory only.
 * - Trust is in one state of one file: it ends when device, inode, length, mtime or ctime differ. `touch`, which changes
 *   times on purpose, calls `renew`, and nobody else may change the file meanwhile.
 * - Trust ends `TRUST_MS` after the bytes were hashed; `renew` does not extend it.
 * - It is always safe to forget a file: the next download verifies it.
 *
 * Limitation: silent corruption of the medium within that time is not detected before the file is sent, if it is not in the
 * page cache. The store has a file verified that is given out some time after it was hashed.
 */
export class TrustedFiles {
  /** In order of insertion, the oldest first. */
  readonly #seen = new Map<string, { readonly file: string; readonly at: number }>()
  readonly #now: () => number

  /** @param now a monotonic clock, in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** @param file the state before the first byte was read, or after the last byte was written */
  add(sha256: string, file: BigIntStats): void {
    this.#seen.delete(sha256)
    this.#seen.set(sha256, { file: identityOf(file), at: this.#now() })
    if (this.#seen.size <= MAX_FILES) return
    for (const oldest of this.#seen.keys()) {
      this.#seen.delete(oldest)
      return
    }
  }

  has(sha256: string, file: BigIntStats): boolean {
    const seen = this.#seen.get(sha256)
    return seen?.file === identityOf(file) && this.#now() - seen.at < TRUST_MS
  }

  /** How long ago its bytes were hashed, in milliseconds. Infinite for a file that is not known. */
  ageOf(sha256: string): number {
    const seen = this.#seen.get(sha256)
    return seen ? this.#now() - seen.at : Infinity
  }

  /** The store itself has changed the file from state `before` to state `after`. */
  renew(sha256: string, before: BigIntStats, after: BigIntStats): void {
    const seen = this.#seen.get(sha256)
    if (seen?.file === identityOf(before)) this.#seen.set(sha256, { ...seen, file: identityOf(after) })
  }

  forget(sha256: string): void {
    this.#seen.delete(sha256)
  }
}

function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':')
}
