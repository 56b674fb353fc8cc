import { Writable } from 'node:stream'
import { errnoOf } from '../../base/errors.js'
import type { Terminal } from './terminal.js'

/**
 * The only writer to standard output or to standard error of a process.
 *
 * INVARIANT: it never emits an error. When the target refuses a write (a closed pipe, a full disk), `failure` says why,
 * and this and all later text is discarded: what the text is about goes on, and the command decides what the loss means.
 *
 * The callback of `write` is called when the target has taken the text, so that output does not accumulate in memory.
 */
export class OutputStream extends Writable implements Terminal {
  #failure: Error | undefined

  constructor(private readonly target: Terminal) {
    super({ decodeStrings: false })
    // A failure of a write is reported here as well as to its callback, and would end the process.
    target.on('error', (error: Error) => (this.#failure ??= error))
  }

  /** Undefined while the target takes what is written. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Whether the reader has closed the pipe, as `head` does when it has read enough. */
  get closedByReader(): boolean {
    return errnoOf(this.#failure) === 'EPIPE'
  }

  get isTTY(): boolean {
    return this.target.isTTY === true
  }

  get columns(): number | undefined {
    return this.target.columns
  }

  get rows(): number | undefined {
    return this.target.rows
  }

  override _write(chunk: string | Uint8Array, encoding: BufferEncoding, done: () => void): void {
    if (this.#failure) {
      done()
      return
    }
    const settle = (error?: Error | null) => {
      if (error) this.#failure ??= error
      done()
    }
    try {
      // Node.js names the encoding of a chunk of bytes "buffer".
      if (typeof chunk === 'string') this.target.write(chunk, encoding, settle)
      else this.target.write(chunk, settle)
    } catch (error) {
      // A write to a file is synchronous, and throws in some versions of Node.js.
      settle(error as Error)
    }
  }
}
