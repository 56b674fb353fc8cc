import type { BigIntStats } from 'node:fs'

/** After that a disk has had its time to decay: the content is looked at again. */
const TRUST_MS = 24 * 60 * 60 * 1000
/** A hundred bytes each. Who has more of them at once verifies the oldest anew. */
const MOST_FILES = 20_000

/**
 * Which blobs' files are known to hold what their names say, so that their bytes may go out without being looked at.
 *
 * INVARIANTS
 * - A file is trusted only after this process has seen each of its bytes: it hashed and wrote them, or read and verified
 *   them from the first to the last. Nothing of it outlives the process.
 * - Trust is in one file in one state: another inode, length, time of modification or of change ends it. Whoever
 *   changes one of these on purpose, as `touch` does, says so by `renew`, and only while nobody else can do the same.
 * - Trust ends `TRUST_MS` after the bytes were seen. To renew it makes it no younger.
 * - To know less than could be known is always right: it costs a verification, and that brings the knowledge back.
 *
 * What it does not see: a medium that decays without a word within that time, while its pages were out of memory.
 */
export class TrustedFiles {
  /** The oldest first. */
  readonly #seen = new Map<string, { readonly file: string; readonly at: number }>()
  readonly #now: () => number

  /** @param now milliseconds of a clock that nobody sets back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Every byte has been seen. `file` as it was before the first of them was read, or after the last was written. */
  add(sha256: string, file: BigIntStats): void {
    this.#seen.delete(sha256)
    this.#seen.set(sha256, { file: identityOf(file), at: this.#now() })
    if (this.#seen.size <= MOST_FILES) return
    for (const oldest of this.#seen.keys()) {
      this.#seen.delete(oldest)
      return
    }
  }

  has(sha256: string, file: BigIntStats): boolean {
    const seen = this.#seen.get(sha256)
    return seen?.file === identityOf(file) && this.#now() - seen.at < TRUST_MS
  }

  /** What was `before` is `after` now, by our own doing. */
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
