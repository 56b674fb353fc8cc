import { setTimeout as delay } from 'node:timers/promises'

/** Shorter waits are added up: a timer is no more exact than that. In milliseconds. */
const SHORTEST_MS = 10
/** What opening a small file takes, in bytes. */
const LEAST_BYTES = 4096

/** A rate of bytes: who has spent some waits for as long as they take at that rate. What was not spent is not saved up. */
export class Budget {
  #owedMs = 0

  constructor(private readonly bytesPerSecond: number) {}

  /** Rejects with the reason of the signal. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#owedMs += (Math.max(bytes, LEAST_BYTES) / this.bytesPerSecond) * 1000
    if (this.#owedMs < SHORTEST_MS) return
    const owed = this.#owedMs
    this.#owedMs = 0
    await delay(owed, undefined, { signal, ref: false })
  }
}
