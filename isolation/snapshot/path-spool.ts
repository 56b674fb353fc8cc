import { randomUUID } from 'node:crypto'
import { closeSync, openSync, read, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { errnoOf, Unavailable } from '../../base/errors.js'
import { bytesOf } from '../archive/names.js'

/** Paths are written to the file in batches of this size, so a reader is at most one batch behind. */
const BATCH_CHARACTERS = 16 * 1024
const CHUNK_BYTES = 64 * 1024

const readAt = promisify(read)

/**
 * A list of paths for programs that read it from their standard input, each path followed by a NUL. It is kept in a
 * file, so that a large tree does not fill the memory of the daemon; the file is unlinked at once, so a crash leaves
 * nothing behind.
 *
 * LIFECYCLE: `add` each path, then `end`. `read` at any time and any number of times: each reader starts at the
 * beginning, and waits for paths that are yet to come. `close` in any case, after which nothing else may be called.
 */
export class PathSpool {
  count = 0
  /** Opened with the first batch. */
  #file: number | undefined
  #pending = ''
  #written = 0
  #state: 'growing' | 'complete' | 'closed' = 'growing'
  #readers = 0
  /** Wakes the readers that have read everything so far. */
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
    this.#state = 'complete'
    this.#wake()
  }

  /** The stream errs if the list is closed before its end. */
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
          if (this.#state === 'complete') return
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
      this.#file ??= openUnlinked()
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

  /** Waits for pending reads: the descriptor could be reused for another file. */
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

function openUnlinked(): number {
  const name = join(tmpdir(), `stagerd-${randomUUID()}`)
  const file = openSync(name, 'wx+', 0o600)
  unlinkSync(name)
  return file
}
