import { KeyedMutex } from '../../base/keyed-mutex.js'

/** Work that one of the nodes that share a database does for all of them, such as collecting garbage. */
export interface Duties {
  /**
   * Runs `work` if no other node has that duty. Within this node, what is run under one name is run one after the other.
   *
   * @param work stops soon when `signal` is aborted: this node may have lost the duty, and another one begin. It must not rely on
   * that: between two looks at the signal, both may be at work
   * @returns what `work` has returned; undefined if another node has the duty
   */
  run<T>(duty: string, work: (signal: AbortSignal) => Promise<T>): Promise<Done<T> | undefined>
}

export interface Done<T> {
  readonly result: T
}

/** The duties of a node alone: it has all of them, and loses none. */
export class OwnDuties implements Duties {
  readonly #mutex = new KeyedMutex()
  readonly #never = new AbortController().signal

  async run<T>(duty: string, work: (signal: AbortSignal) => Promise<T>): Promise<Done<T>> {
    return await this.#mutex.run(duty, async () => ({ result: await work(this.#never) }))
  }
}
