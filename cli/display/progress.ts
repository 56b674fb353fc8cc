import bytes from 'bytes'
import type { SingleBar } from 'cli-progress'
import type { Output } from './output.js'

/** Delay before the progress bar appears, in milliseconds. Shorter operations show none. */
const SHOW_DELAY = 1_000

/**
 * A progress bar for a transfer. It appears on stderr, only on a terminal, and only if the transfer takes longer than
 * `delay`. The owner calls `stop` in every case.
 */
export class Progress {
  #done = 0
  #bar: SingleBar | undefined
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  /** @param total in bytes; 0 when unknown */
  constructor(
    { io }: Output,
    readonly label: string,
    readonly total: number,
    delay = SHOW_DELAY,
  ) {
    if (!io.stderr.isTTY) return
    this.#timer = setTimeout(() => void this.#show(io.stderr), delay).unref()
  }

  add(count: number): void {
    this.#done += count
    this.#bar?.update(this.#done, { done: formatBytes(this.#done) })
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#isStopped = true
    this.#bar?.stop()
    this.#bar = undefined
  }

  async #show(stream: NodeJS.WritableStream): Promise<void> {
    const { label, total } = this
    // Most transfers end before their bar is loaded.
    const { default: cliProgress } = await import('cli-progress')
    if (this.#isStopped) return
    this.#bar = new cliProgress.SingleBar({
      stream,
      format: total > 0 ? '{label} [{bar}] {percentage}% {done} of {all}, {eta_formatted} left' : '{label} {done}',
      clearOnComplete: true,
      gracefulExit: false,
      hideCursor: null,
      barsize: 30,
    })
    this.#bar.start(total, 0, { label, done: formatBytes(0), all: formatBytes(total) })
  }
}

/** Human-readable: `24.9 MB`. */
export function formatBytes(count: number): string {
  return bytes.format(count, { decimalPlaces: 1, unitSeparator: ' ' }) ?? `${count} B`
}
