import { usableProcessors } from '../../base/usable-processors.js'

/** The processors of a share. It is given back once, when its user has ended. */
export interface ProcessorShare {
  readonly threads: number
  /** May be called again. */
  readonly release: () => void
}

/** A pipeline of tar, compressor and file gains nothing from more: tar is the slowest part then. */
const MOST = 8

/** A share of one thread would end all overlap of reading and compressing, and pigz writes other bytes with one. */
const LEAST = 2

/**
 * Divides processors among compressors that run at the same time. The first ones get what is free, up to `MOST`; one that comes
 * when nothing is left gets `LEAST`. It never waits: a snapshot holds a frozen container.
 */
export class ProcessorBudget {
  #free: number

  constructor(processors: number) {
    this.#free = processors
  }

  take(): ProcessorShare {
    const threads = Math.max(LEAST, Math.min(MOST, this.#free))
    this.#free -= threads
    let isReleased = false
    return {
      threads,
      release: () => {
        if (!isReleased) this.#free += threads
        isReleased = true
      },
    }
  }
}

/** That of this process. */
export const PROCESSORS = new ProcessorBudget(usableProcessors())
