/**
 * A parser that reads foreign bytes, and what must hold for any of them.
 *
 * A FAILURE of a target is one of these, for any input of at most `maxBytes`:
 * - `run` throws anything but a `StagerdError` whose code is among `refusals`;
 * - a law of the target does not hold: then `run` throws a `BrokenLaw`;
 * - an input takes more processor time than a base and `microsPerByte` for each byte, or never ends;
 * - the process grows by more than `MAX_GROWTH_BYTES` for one input.
 */
export interface FuzzTarget {
  /** Also the name of the directory of its corpus. */
  readonly name: string
  /** What holds beside the above, in one sentence. */
  readonly law: string
  /** The codes of the parser's own refusals. */
  readonly refusals: readonly string[]
  readonly maxBytes: number
  /** Of the processor. Default: `USUAL_MICROS_PER_BYTE`. */
  readonly microsPerByte?: number
  /** Words of the format, for mutations. Bytes as latin1. */
  readonly tokens: readonly string[]
  /** Valid inputs, from which the first mutations are made. */
  readonly seeds: readonly (Buffer | string)[]
  /** Mutations move whole blocks of this length too. */
  readonly block?: number
  /** Makes what a random change has certainly broken, such as a checksum, valid again. */
  readonly repair?: (bytes: Buffer) => Buffer
  /**
   * Reads the bytes and checks the law. Returns in a word how they were understood: inputs that differ in this are kept
   * apart. May throw the refusals of the parser.
   */
  readonly run: (bytes: Buffer) => string | Promise<string>
}

export const USUAL_MICROS_PER_BYTE = 20
/** Of the processor, in milliseconds: garbage collections and the first run of a function are within it. */
export const BASE_MS = 150
export const MAX_GROWTH_BYTES = 192 * 1024 ** 2

export class BrokenLaw extends Error {
  override readonly name = 'BrokenLaw'
}

/** Throws `BrokenLaw` unless both are the same JSON. */
export function assertSame(found: unknown, expected: unknown, what: string): void {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)]
  if (one !== other) throw new BrokenLaw(`${what}: ${shortened(one)} is not ${shortened(other)}`)
}

export function assertHolds(holds: boolean, what: string): void {
  if (!holds) throw new BrokenLaw(what)
}

function shortened(text: string | undefined): string {
  return text === undefined || text.length <= 300 ? String(text) : `${text.slice(0, 300)}…`
}
