import { PassThrough, Writable } from 'node:stream'
import type { InterruptReason, Io } from '../../../cli/terminal/io.js'
import type { Terminal } from '../../../cli/terminal/terminal.js'

/** An `Io` that captures output. `interrupt` simulates Ctrl-C. */
export class CapturedIo implements Io {
  readonly stdin = new PassThrough() as Io['stdin'] & PassThrough
  readonly stdout: Terminal
  readonly stderr: Terminal
  readonly env: Record<string, string | undefined>
  out = ''
  err = ''
  /** Whether the terminal passes on each key. */
  isRaw = false
  readonly #resizeListeners = new Set<() => void>()
  readonly #listeners = new Set<(reason: InterruptReason) => void>()

  constructor(
    readonly cwd: string,
    {
      env = {},
      terminal = false,
      columns = 80,
    }: { env?: Record<string, string>; terminal?: boolean; columns?: number } = {},
  ) {
    this.env = { XDG_CONFIG_HOME: `${cwd}/config`, XDG_CACHE_HOME: `${cwd}/cache`, TMPDIR: cwd, ...env }
    this.stdout = capture((text) => (this.out += text), terminal, columns)
    this.stderr = capture((text) => (this.err += text), terminal, columns)
    Object.assign(this.stdin, { isTTY: terminal, setRawMode: (isRaw: boolean) => (this.isRaw = isRaw) })
  }

  readonly onInterrupt = (listener: (reason: InterruptReason) => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly onResize = (listener: () => void): (() => void) => {
    this.#resizeListeners.add(listener)
    return () => this.#resizeListeners.delete(listener)
  }

  resize(columns: number, rows: number): void {
    Object.assign(this.stdout, { columns, rows })
    for (const listener of this.#resizeListeners) listener()
  }

  interrupt(reason: InterruptReason = 'interrupt'): void {
    for (const listener of this.#listeners) listener(reason)
  }

  /** The JSON document on stdout. Throws when there is anything else. */
  document(): unknown {
    return JSON.parse(this.out)
  }
}

function capture(onText: (text: string) => void, isTTY: boolean, columns: number): Terminal {
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      onText(chunk.toString())
      done()
    },
  })
  return Object.assign(stream, { isTTY, columns })
}
