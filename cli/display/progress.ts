import bytes from 'bytes'
import cliProgress from 'cli-progress'
import type { Output } from './output.js'

/** Shorter work shows nothing. In milliseconds. */
const PATIENCE = 1_000

/**
 * How far a long copy has come: on a terminal's stderr alone, and only when it takes longer than a second.
 * Call `stop` in the end, whatever came of it.
 */
export class Progress {
  #done = 0
  #bar: cliProgress.SingleBar | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param total in bytes; 0 when nobody knows */
  constructor(
    { io }: Output,
    readonly what: string,
    readonly total: number,
    patience = PATIENCE,
  ) {
    if (io.stderr.isTTY !== true) return
    this.#timer = setTimeout(() => {
      this.#bar = new cliProgress.SingleBar({
        stream: io.stderr,
        format: total > 0 ? '{what} [{bar}] {percentage}% {done} of {all}, {eta_formatted} left' : '{what} {done}',
        clearOnComplete: true,
        gracefulExit: false,
        hideCursor: null,
        barsize: 30,
      })
      this.#bar.start(total, 0, { what, done: formatBytes(0), all: formatBytes(total) })
    }, patience)
    this.#timer.unref()
  }

  add(count: number): void {
    this.#done += count
    this.#bar?.update(this.#done, { done: formatBytes(this.#done) })
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#bar?.stop()
    this.#bar = undefined
  }
}

/** For people: `24.9 MB`. */
export function formatBytes(count: number): string {
  return bytes.format(count, { decimalPlaces: 1, unitSeparator: ' ' }) ?? `${count} B`
}
