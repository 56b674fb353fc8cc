import type { OutputStream } from '../isolation.js'

/** A piece of the output of a container. */
export interface OutputPiece {
  readonly stream: OutputStream
  readonly data: Buffer
}

/** stream (1 byte: 1 or 2), three zero bytes, length (4 bytes, big-endian). */
const HEADER_LENGTH = 8

/**
 * Takes apart the stream that the Engine sends for a container without a terminal: frames, each a header and a payload.
 * Payloads are passed on as they come, also in part: nothing is held back, and memory does not grow with a frame.
 */
export class OutputFrames {
  #header = Buffer.alloc(0)
  #stream: OutputStream = 'stdout'
  /** Bytes of the present payload that are still to come. */
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

/** Read `attached` to its end, waiting for each piece to be taken. */
export async function pumpOutput(
  attached: AsyncIterable<Buffer>,
  output: (stream: OutputStream, chunk: Buffer) => Promise<void>,
): Promise<void> {
  const frames = new OutputFrames()
  for await (const chunk of attached) for (const { stream, data } of frames.push(chunk)) await output(stream, data)
}
