import type { FileHandle } from 'node:fs/promises'
import type { Io } from '../terminal/io.js'
import { temporaryFileError } from './packing-error.js'
import { readHandle } from './read-handle.js'
import { openTemporaryFile, temporaryDirectory } from './temporary-file.js'

/** In bytes. Of a source that has not changed, there are a few bytes to keep, and no file is made for them. */
const MOST_IN_MEMORY = 64 * 1024

/**
 * Bytes that are appended, and read again later: in memory while they are few, then in an unlinked file in TMPDIR. One
 * `append` at a time. The owner calls `close` in every case.
 */
export class SpooledBytes {
  /** In bytes. */
  length = 0
  #memory: Buffer[] = []
  #file: Promise<FileHandle> | undefined
  #isClosed = false

  constructor(private readonly env: Io['env']) {}

  /** Nothing once it is closed. Throws `BadInput` (`no-temporary-directory`), `Unavailable` (`disk-full`, `disk-error`). */
  async append(bytes: Buffer): Promise<void> {
    // What was being compressed when the packing ended comes later.
    if (this.#isClosed) return
    this.length += bytes.length
    this.#memory.push(bytes)
    if (this.length <= MOST_IN_MEMORY) return
    this.#file ??= openTemporaryFile(this.env)
    const file = await this.#file
    const chunks = this.#memory
    this.#memory = []
    for (const chunk of chunks)
      await file.appendFile(chunk).catch((error: unknown) => {
        throw temporaryFileError(temporaryDirectory(this.env), error)
      })
  }

  /** Fewer than `length` at the end. */
  async read(at: number, length: number): Promise<Buffer> {
    if (!this.#file) return Buffer.concat(this.#memory).subarray(at, at + length)
    const { buffer, bytesRead } = await (await this.#file).read(Buffer.allocUnsafe(length), 0, length, at)
    return buffer.subarray(0, bytesRead)
  }

  /** All of them, from the start on each call. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#file) yield* readHandle(await this.#file)
    else yield* this.#memory
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const file = await this.#file?.catch(() => undefined)
    await file?.close()
  }
}
