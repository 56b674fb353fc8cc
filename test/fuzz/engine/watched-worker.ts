import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** Longer than any input that only is too slow: the thread itself measures those. */
const HANG_MS = 20_000
const HEAP_MB = 512

/** The input that runs, where another thread sees it even when this one never returns. */
export class SharedInput {
  readonly #numbers: Int32Array
  readonly #bytes: Uint8Array

  constructor(readonly memory: SharedArrayBuffer) {
    this.#numbers = new Int32Array(memory, 0, 2)
    this.#bytes = new Uint8Array(memory, 8)
  }

  static ofAtMost(bytes: number): SharedInput {
    return new SharedInput(new SharedArrayBuffer(8 + bytes))
  }

  set(bytes: Buffer): void {
    this.#bytes.set(bytes.subarray(0, this.#bytes.length))
    Atomics.store(this.#numbers, 1, Math.min(bytes.length, this.#bytes.length))
    Atomics.add(this.#numbers, 0, 1)
  }

  /** Grows with each input. */
  get count(): number {
    return Atomics.load(this.#numbers, 0)
  }

  get bytes(): Buffer {
    return Buffer.from(this.#bytes.slice(0, Atomics.load(this.#numbers, 1)))
  }
}

/** What a thread posts, or why it ended without posting anything: it hung, or its memory was exhausted. */
export type WorkerEnd<T> = { readonly posted: T } | { readonly died: string }

/** Runs `file` as a thread with `workerData`, which posts one message. Ends it when one input takes too long. */
export async function runWatched<T>(
  file: string | URL,
  workerData: object,
  input: SharedInput,
  { hangMs = HANG_MS, heapMb = HEAP_MB } = {},
): Promise<WorkerEnd<T>> {
  const worker = new Worker(file, {
    workerData: { ...workerData, memory: input.memory },
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  })
  let count = -1
  const state: { hung: boolean; posted?: T } = { hung: false }
  const timer = setInterval(() => {
    if (input.count !== count) {
      count = input.count
      return
    }
    state.hung = true
    void worker.terminate()
  }, hangMs)
  worker.once('message', (message: T) => (state.posted = message))
  try {
    // It rejects when the thread throws.
    await once(worker, 'exit')
    if (state.posted !== undefined) return { posted: state.posted }
    return {
      died: state.hung
        ? `it has not ended after ${hangMs / 1000} s`
        : 'its thread has ended: it waits for what never happens',
    }
  } catch (error) {
    return { died: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  } finally {
    clearInterval(timer)
  }
}
