import type { Writable } from 'node:stream'

/** A stream that may be a terminal. */
export interface Terminal extends Writable {
  readonly isTTY?: boolean
  /** Width of the terminal, in characters. */
  readonly columns?: number | undefined
  /** Its height, in lines. */
  readonly rows?: number | undefined
}
