import type { Readable, Writable } from 'node:stream'

/** A stream that may be a terminal. */
export interface Terminal extends Writable {
  readonly isTTY?: boolean
  /** Width in characters, of a terminal. */
  readonly columns?: number
}

/** Everything that the client touches of its process: so that tests can bring their own. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Terminal
  readonly stderr: Terminal
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Calls back on each request to end (Ctrl-C and its kin) until the returned function is called. */
  readonly onInterrupt: (listener: () => void) => () => void
}
