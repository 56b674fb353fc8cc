import type { Readable } from 'node:stream'
import type { OutputStream } from './output-stream.js'
import type { Terminal } from './terminal.js'

/** Why the user ends the command: Ctrl-C or a request to terminate, or the loss of the terminal (SIGHUP). */
export type InterruptReason = 'interrupt' | 'hangup'

/** Everything that the client uses of its process. Tests provide their own. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(isRaw: boolean): unknown }
  readonly stdout: Terminal
  readonly stderr: Terminal
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Calls `listener` on each SIGINT, SIGTERM and SIGHUP until the returned function is called. */
  readonly onInterrupt: (listener: (reason: InterruptReason) => void) => () => void
  /** Calls `listener` when the size of the terminal changes until the returned function is called. */
  readonly onResize: (listener: () => void) => () => void
}

/** An `Io` whose output has one owner each, and cannot fail. */
export interface OwnedIo extends Io {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
}
