import { BadInput } from '../../base/errors.js'

/** A digest, a length and a word. */
const LONGEST_LINE = 100
const NEWLINE = 0x0a

/** Reads lines and bytes from a stream. */
export class CompositionReader {
  readonly #chunks: AsyncIterator<Buffer>
  #chunk: Buffer = Buffer.alloc(0)

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** Without its newline; undefined at the end. Throws `BadInput` (`bad-composition`). */
  async line(): Promise<string | undefined> {
    let line = ''
    for (;;) {
      const end = this.#chunk.indexOf(NEWLINE)
      const taken = this.#take(end < 0 ? this.#chunk.length : end)
      if (line.length + taken.length > LONGEST_LINE)
        throw new BadInput('bad-composition', `A line of the composition has more than ${LONGEST_LINE} bytes.`)
      line += taken.toString('latin1')
      if (end >= 0) {
        this.#take(1)
        return line
      }
      if (await this.#more()) continue
      if (line === '') return undefined
      throw cutShort()
    }
  }

  /** Throws `BadInput` (`bad-composition`). */
  async bytes(length: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let left = length; left > 0;) {
      if (this.#chunk.length === 0 && !(await this.#more())) throw cutShort()
      const part = this.#take(Math.min(left, this.#chunk.length))
      parts.push(part)
      left -= part.length
    }
    return Buffer.concat(parts)
  }

  #take(length: number): Buffer {
    const taken = this.#chunk.subarray(0, length)
    this.#chunk = this.#chunk.subarray(length)
    return taken
  }

  async #more(): Promise<boolean> {
    const next = await this.#chunks.next()
    if (next.done === true) return false
    this.#chunk = next.value
    return true
  }
}

function cutShort(): BadInput {
  return new BadInput('bad-composition', 'The composition ends in the middle of a segment: send all of it.')
}
