/** What stands in the place of a secret. */
const MARK = Buffer.from('***')

/** Of a line of a secret of several lines: shorter ones, such as a brace, are no secrets. */
export const SHORTEST_LINE_BYTES = 8

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Hides secrets in text: each secret as a whole, each of its lines that is long enough, and both as common tools print
 * them: percent-encoded, and in base64 at any place of what was encoded.
 */
export class Mask {
  /** Longest first, by their first two bytes. */
  readonly #patterns = new Map<number, Buffer[]>()
  /** By the first two bytes: a look-up in the map for each byte of an output would be slow. */
  readonly #begins = new Uint8Array(0x1_0000)

  private constructor(patterns: readonly Buffer[]) {
    for (const pattern of patterns.toSorted((a, b) => b.length - a.length)) {
      const begin = pattern.readUInt16BE(0)
      this.#begins[begin] = 1
      this.#patterns.set(begin, [...(this.#patterns.get(begin) ?? []), pattern])
    }
  }

  /** Undefined without secrets. */
  static of(secrets: Iterable<Uint8Array>): Mask | undefined {
    const patterns = new Map([...secrets].flatMap(formsOf).map((form) => [form.toString('latin1'), form]))
    return patterns.size === 0 ? undefined : new Mask([...patterns.values()])
  }

  text(text: string): string {
    const stream = this.stream()
    return Buffer.concat([stream.push(Buffer.from(text)), stream.end()]).toString()
  }

  /** Whether `text` has a secret in it. */
  hides(text: string): boolean {
    const bytes = Buffer.from(text)
    return !this.apply(bytes, true).output.equals(bytes)
  }

  stream(): MaskedStream {
    return new MaskedStream(this)
  }

  /**
   * Hides what `buffer` contains.
   *
   * @param isEnd false if more follows: then `rest` is what may be the beginning of a secret
   */
  apply(buffer: Buffer, isEnd: boolean): { readonly output: Buffer; readonly rest: Buffer } {
    const pieces: Buffer[] = []
    let from = 0
    let at = 0
    while (at < buffer.length) {
      const found = this.#at(buffer, at, isEnd)
      if (found === 'unfinished') break
      if (found === 0) {
        at += 1
        continue
      }
      pieces.push(buffer.subarray(from, at), MARK)
      at += found
      from = at
    }
    pieces.push(buffer.subarray(from, at))
    return {
      output: pieces.length === 1 ? buffer.subarray(from, at) : Buffer.concat(pieces),
      rest: buffer.subarray(at),
    }
  }

  /** The length of the longest secret that begins here. */
  #at(buffer: Buffer, at: number, isEnd: boolean): number | 'unfinished' {
    const [first = 0, second] = [buffer[at], buffer[at + 1]]
    if (second === undefined) return !isEnd && this.#mayBegin(first) ? 'unfinished' : 0
    const begin = first * 0x100 + second
    if (this.#begins[begin] !== 1) return 0
    for (const pattern of this.#patterns.get(begin) ?? []) {
      const length = Math.min(pattern.length, buffer.length - at)
      if (isEnd && length < pattern.length) continue
      if (buffer.compare(pattern, 0, length, at, at + length) !== 0) continue
      return length === pattern.length ? length : 'unfinished'
    }
    return 0
  }

  #mayBegin(first: number): boolean {
    return this.#begins.subarray(first * 0x100, (first + 1) * 0x100).includes(1)
  }
}

/** Output that comes in chunks: a secret may begin in one and end in another. */
export class MaskedStream {
  #rest: Buffer = Buffer.alloc(0)

  constructor(private readonly mask: Mask) {}

  /** What can be told of the output so far. */
  push(chunk: Buffer): Buffer {
    const { output, rest } = this.mask.apply(this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk, false)
    // A copy: the chunk may be a part of something larger, or be used again.
    this.#rest = Buffer.from(rest)
    return output
  }

  end(): Buffer {
    const { output } = this.mask.apply(this.#rest, true)
    this.#rest = Buffer.alloc(0)
    return output
  }
}

/** Programs that read a secret from a file leave them out. */
export function withoutLineBreaksAtEnd(value: Uint8Array): Uint8Array {
  let end = value.length
  while (end > 0 && (value[end - 1] === LINE_FEED || value[end - 1] === CARRIAGE_RETURN)) end -= 1
  return value.subarray(0, end)
}

function formsOf(secret: Uint8Array): Buffer[] {
  const whole = Buffer.from(withoutLineBreaksAtEnd(secret))
  if (whole.length < 2) return []
  const lines = linesOf(whole)
  const parts = lines.length > 1 ? [whole, ...lines.filter((line) => line.length >= SHORTEST_LINE_BYTES)] : [whole]
  return parts.flatMap((part) => [part, ...percentEncoded(part), ...base64(part)])
}

function linesOf(text: Buffer): Buffer[] {
  return text
    .toString('latin1')
    .split(/\r\n|\n|\r/)
    .map((line) => Buffer.from(line, 'latin1'))
}

function percentEncoded(part: Buffer): Buffer[] {
  const text = part.toString()
  // Not of bytes that are not UTF-8.
  return Buffer.from(text).equals(part) ? [Buffer.from(encodeURIComponent(text))] : []
}

/**
 * In base64, three bytes become four characters: what a part looks like depends on how many bytes go before it. Without the
 * characters that it shares with its neighbours.
 */
function base64(part: Buffer): Buffer[] {
  const forms = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), part]).toString('base64')
    return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + part.length) * 8) / 6))
  })
  const url = forms.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))
  return [...forms, ...url].filter((form) => form.length >= SHORTEST_LINE_BYTES).map((form) => Buffer.from(form))
}
