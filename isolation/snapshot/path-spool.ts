import { randomUUID } from 'node:crypto'
import { closeSync, openSync, read, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { errnoOf, Unavailable } from '../../base/errors.js'
import { bytesOf } from '../archive/names.js'

/** So much is written at a time; who reads along is never further behind. */
const BATCH_CHARACTERS = 16 * 1024
const CHUNK_BYTES = 64 * 1024

const readAt = promisify(read)

/**
 * A list of paths on its way to programs that read them from their standard input, each ended by a NUL. It is kept in a
 * file, so that no tree is too large for the daemon's memory; the file has no name, so that nothing of it is ever left.
 *
 * LIFECYCLE: `add` as often as there are paths, then `end`. `read` at any time, as often as needed, each from the
 * beginning: what is not there yet is waited for. `close` whatever happened, and then no more of these.
 */
export class PathSpool {
  count = 0
  /** Opened with the first batch. */
  #file: number | undefined
  #pending = ''
  #written = 0
  #state: 'growing' | 'whole' | 'closed' = 'growing'
  #readers = 0
  /** Those who have read all that there is. */
  #waiting: (() => void)[] = []

  /**
   * @param path bytes as latin1
   * Throws `Unavailable` (`disk-full`), as `end` does.
   */
  add(path: string): void {
    this.count += 1
    this.#pending += `${path}\0`
    if (this.#pending.length >= BATCH_CHARACTERS) this.#write()
  }

  end(): void {
    this.#write()
    this.#state = 'whole'
    this.#wake()
  }

  /** Errs when the list is closed before it is whole. */
  read(): Readable {
    return Readable.from(this.#chunks(), { objectMode: false, highWaterMark: CHUNK_BYTES })
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#wake()
    this.#closeFile()
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    this.#readers += 1
    try {
      for (let at = 0; ;) {
        if (this.#state === 'closed') throw new Error('the list was closed before it was read')
        if (at < this.#written && this.#file !== undefined) {
          const { bytesRead, buffer } = await readAt(this.#file, Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at)
          at += bytesRead
          yield buffer.subarray(0, bytesRead)
        } else {
          if (this.#state === 'whole') return
          await new Promise<void>((resolve) => this.#waiting.push(resolve))
        }
      }
    } finally {
      this.#readers -= 1
      this.#closeFile()
    }
  }

  #write(): void {
    const bytes = bytesOf(this.#pending)
    try {
      this.#file ??= openNameless()
      for (let done = 0; done < bytes.length;) done += writeSync(this.#file, bytes, done)
    } catch (error) {
      if (errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT')
        throw new Unavailable('disk-full', `There is no space left in ${tmpdir()} for a list of files: free some.`, {
          cause: error,
        })
      throw error
    }
    this.#pending = ''
    this.#written += bytes.length
    this.#wake()
  }

  /** Not under a read that goes on: the descriptor could come to be another file's. */
  #closeFile(): void {
    if (this.#state !== 'closed' || this.#readers > 0 || this.#file === undefined) return
    closeSync(this.#file)
    this.#file = undefined
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}

function openNameless(): number {
  const name = join(tmpdir(), `stagerd-${randomUUID()}`)
  const file = openSync(name, 'wx+', 0o600)
  unlinkSync(name)
  return file
}
