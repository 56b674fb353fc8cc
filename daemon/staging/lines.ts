import { StringDecoder } from 'node:string_decoder'

/** In characters. A longer line is split, so that a line without an end cannot fill the memory. */
export const MAX_LINE_LENGTH = 16 * 1024

/** Splits chunks of output into lines. Bytes that are not UTF-8 become replacement characters. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  /** The lines that `chunk` completes, without line terminators. */
  push(chunk: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    const complete = lines.flatMap(split)
    if (this.#rest.length < MAX_LINE_LENGTH) return complete
    const pieces = split(this.#rest)
    this.#rest = pieces.pop() ?? ''
    return [...complete, ...pieces]
  }

  /** The last line, if the output ends without a line terminator. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.end()
    this.#rest = ''
    return rest === '' ? [] : split(rest)
  }
}

function split(line: string): string[] {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line
  if (text.length <= MAX_LINE_LENGTH) return [text]
  const pieces: string[] = []
  for (let at = 0; at < text.length; at += MAX_LINE_LENGTH) pieces.push(text.slice(at, at + MAX_LINE_LENGTH))
  return pieces
}
