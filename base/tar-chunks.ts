import { TAR_BLOCK } from './tar-blocks.js'

/** In bytes. Small enough that reading and compressing, in another thread, keep each other busy. */
export const CHUNK = 256 * 1024

/** Collects the bytes of an archive in chunks of equal size. Small pieces are copied; large ones are read in place. */
export class TarChunks {
  #full: Buffer[] = []
  #chunk = Buffer.allocUnsafe(CHUNK)
  #used = 0
  #total = 0

  add(bytes: Buffer, length = bytes.length): void {
    for (let at = 0; at < length;) {
      const count = bytes.copy(this.#chunk, this.#used, at, length)
      this.#advance(count)
      at += count
    }
  }

  /** Lets `write` fill the chunk from `start` to its end, or a part of that. Returns the number of bytes, as `write`. */
  fill(write: (chunk: Buffer, start: number) => number): number {
    const count = write(this.#chunk, this.#used)
    this.#advance(count)
    return count
  }

  /** Adds zeros up to the end of the block. */
  pad(): void {
    const count = (TAR_BLOCK - (this.#total % TAR_BLOCK)) % TAR_BLOCK
    if (count === 0) return
    // A chunk holds whole blocks, so that the zeros fit.
    this.#chunk.fill(0, this.#used, this.#used + count)
    this.#advance(count)
  }

  #advance(count: number): void {
    this.#used += count
    this.#total += count
    if (this.#used < CHUNK) return
    this.#full.push(this.#chunk)
    this.#chunk = Buffer.allocUnsafe(CHUNK)
    this.#used = 0
  }

  /** Returns the full chunks, once. */
  take(): readonly Buffer[] {
    const taken = this.#full
    if (taken.length > 0) this.#full = []
    return taken
  }

  /** The same with the last one, which is not full. What is added next begins a chunk. */
  takeAll(): readonly Buffer[] {
    if (this.#used === 0) return this.take()
    const all = [...this.take(), this.#chunk.subarray(0, this.#used)]
    this.#chunk = Buffer.allocUnsafe(CHUNK)
    this.#used = 0
    return all
  }
}
