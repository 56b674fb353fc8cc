import type { OutputStream } from '../isolation.js'

/** A chunk of the output of a container. */
export interface OutputPiece {
  readonly stream: OutputStream
  readonly data: Buffer
}

/** Stream (1 byte: 1 or 2), three zero bytes, length (4 bytes, big-endian). */
const HEADER_LENGTH = 8

/**
 * Parses the stream that the Engine sends for a container without a terminal: frames of a header and a payload. It passes
 * on parts of a payload as they arrive, so memory does not grow with the length of a frame.
 */
export class OutputFrames {
  #header = Buffer.alloc(0)
  #stream: OutputStream = 'stdout'
  /** Remaining bytes of the current payload. */
  #left = 0

  push(chunk: Buffer): OutputPiece[] {
    const pieces: OutputPiece[] = []
    let rest = chunk
    while (rest.length > 0) {
      if (this.#left > 0) {
        const data = rest.subarray(0, this.#left)
        rest = rest.subarray(data.length)
        this.#left -= data.length
        pieces.push({ stream: this.#stream, data })
      } else {
        const missing = HEADER_LENGTH - this.#header.length
        this.#header = Buffer.concat([this.#header, rest.subarray(0, missing)])
        rest = rest.subarray(missing)
        if (this.#header.length < HEADER_LENGTH) break
        this.#stream = this.#header.readUInt8(0) === 2 ? 'stderr' : 'stdout'
        this.#left = this.#header.readUInt32BE(4)
        this.#header = Buffer.alloc(0)
      }
    }
    return pieces
  }
}

/** Reads `attached` to its end, and waits for `output` after each chunk. */
export async function pumpOutput(
  attached: AsyncIterable<Buffer>,
  output: (stream: OutputStream, chunk: Buffer) => Promise<void>,
): Promise<void> {
  const frames = new OutputFrames()
  for await (const chunk of attached) for (const { stream, data } of frames.push(chunk)) await output(stream, data)
}
