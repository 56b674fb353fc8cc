import { StringDecoder } from 'node:string_decoder'
import { headOf } from '../../base/shorten.js'
import { TerminalLine } from './terminal-line.js'

/** In UTF-16 units. A longer line is split, so that a line without an end cannot fill the memory. */
export const MAX_LINE_LENGTH = 16 * 1024

/** How much output of an unfinished line that is written over and over is kept before it is reduced to what it shows. */
const MAX_REWRITTEN = 4 * MAX_LINE_LENGTH

/** A control sequence that the next chunk may complete. */
const UNFINISHED_SEQUENCE = /\x1b(?:\[[0-?]{0,32}[ -/]{0,8})?$/

/**
 * Splits chunks of output into lines, each as a terminal would show it at its end: a progress bar becomes its last state.
 * Bytes that are not UTF-8 become replacement characters.
 */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8')
  /** The output of the unfinished line. */
  #rest = ''
  #isRewritten = false

  /** The lines that `chunk` completes, without line terminators. */
  push(chunk: Buffer): string[] {
    const [first = '', ...others] = this.#decoder.write(chunk).split('\n')
    this.#append(first)
    const lines: string[] = []
    for (const next of others) {
      lines.push(...this.#finish())
      this.#append(next)
    }
    lines.push(...this.#overflow())
    return lines
  }

  /** The last line, if the output ends without a line terminator. */
  end(): string[] {
    this.#append(this.#decoder.end())
    return this.#rest === '' ? [] : this.#finish()
  }

  #append(output: string): void {
    this.#rest += output
    // The new part alone: the whole would have to be read again with each chunk.
    this.#isRewritten ||= TerminalLine.isNeededFor(output)
  }

  #finish(): string[] {
    const output = this.#rest
    this.#rest = ''
    this.#isRewritten = false
    return split(shown(output))
  }

  /** What has to leave the unfinished line because it is too long. */
  #overflow(): string[] {
    if (this.#isRewritten && this.#rest.length > MAX_REWRITTEN) this.#reduce()
    if (this.#isRewritten || this.#rest.length <= MAX_LINE_LENGTH) return []
    const pieces = split(this.#rest)
    this.#rest = pieces.pop() ?? ''
    return pieces
  }

  /** Drops what has been written over. If the line is too long all the same, it has to be split as it is. */
  #reduce(): void {
    const [unfinished = ''] = UNFINISHED_SEQUENCE.exec(this.#rest) ?? []
    const line = new TerminalLine(this.#rest.slice(0, this.#rest.length - unfinished.length))
    this.#isRewritten = line.text.length <= MAX_LINE_LENGTH
    this.#rest = (this.#isRewritten ? line.output : line.text) + unfinished
  }
}

function shown(output: string): string {
  const text = output.endsWith('\r') ? output.slice(0, -1) : output
  return TerminalLine.isNeededFor(text) ? new TerminalLine(text).text : text
}

function split(text: string): string[] {
  const pieces: string[] = []
  let rest = text
  while (rest.length > MAX_LINE_LENGTH) {
    const piece = headOf(rest, MAX_LINE_LENGTH)
    pieces.push(piece)
    rest = rest.slice(piece.length)
  }
  return [...pieces, rest]
}
