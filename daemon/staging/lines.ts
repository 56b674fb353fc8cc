import { StringDecoder } from 'node:string_decoder'

/** A longer line is cut into several, so that one stager cannot fill memory with a line that never ends. In characters. */
export const MAX_LINE_LENGTH = 16 * 1024

/** Pieces of output, cut anywhere, become lines. Bytes that are not UTF-8 become replacement characters. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  /** Lines that `chunk` completes, without their line ends. */
  push(chunk: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    const complete = lines.flatMap(cut)
    if (this.#rest.length < MAX_LINE_LENGTH) return complete
    const pieces = cut(this.#rest)
    this.#rest = pieces.pop() ?? ''
    return [...complete, ...pieces]
  }

  /** What is left when the output is over: a last line without a line end. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.end()
    this.#rest = ''
    return rest === '' ? [] : cut(rest)
  }
}

function cut(line: string): string[] {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line
  if (text.length <= MAX_LINE_LENGTH) return [text]
  const pieces: string[] = []
  for (let at = 0; at < text.length; at += MAX_LINE_LENGTH) pieces.push(text.slice(at, at + MAX_LINE_LENGTH))
  return pieces
}
