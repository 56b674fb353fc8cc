import type { Readable, Writable } from 'node:stream'

/** A stream that may be a terminal. */
export interface Terminal extends Writable {
  readonly isTTY?: boolean
  /** Width of the terminal, in characters. */
  readonly columns?: number
}

/** Everything that the client uses of its process. Tests provide their own. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Terminal
  readonly stderr: Terminal
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Calls `listener` on each SIGINT, SIGTERM and SIGHUP until the returned function is called. */
  readonly onInterrupt: (listener: () => void) => () => void
}
