import { TAR_BLOCK } from '../../base/tar-blocks.js'

/** In bytes. Small enough that reading and compressing, in another thread, keep each other busy. */
const CHUNK = 256 * 1024

/** Collects the bytes of an archive in chunks of equal size. Small pieces are copied; large ones are read in place. */
export class TarChunks {
  #full: Buffer[] = []
  #chunk = Buffer.allocUnsafe(CHUNK)
  #used = 0
  #total = 0

  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      at += this.fill((space) => bytes.copy(space, 0, at))
    }
  }

  /** Lets `write` fill the rest of the current chunk, or a part of it. Returns the number of bytes that it returns. */
  fill(write: (space: Buffer) => number): number {
    const count = write(this.#chunk.subarray(this.#used))
    this.#used += count
    this.#total += count
    if (this.#used === CHUNK) {
      this.#full.push(this.#chunk)
      this.#chunk = Buffer.allocUnsafe(CHUNK)
      this.#used = 0
    }
    return count
  }

  /** Adds zeros up to the end of the block. */
  pad(): void {
    const rest = this.#total % TAR_BLOCK
    // A chunk holds whole blocks, so that the zeros fit.
    if (rest > 0) this.fill((space) => space.subarray(0, TAR_BLOCK - rest).fill(0).length)
  }

  /** Returns the full chunks, once. */
  take(): readonly Buffer[] {
    const taken = this.#full
    if (taken.length > 0) this.#full = []
    return taken
  }

  /** The same with the last one, which is not full. */
  takeAll(): readonly Buffer[] {
    return this.#used === 0 ? this.take() : [...this.take(), this.#chunk.subarray(0, this.#used)]
  }
}
