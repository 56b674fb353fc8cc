import { Unavailable } from '../../base/errors.js'
import { KeyedMutex } from '../../base/keyed-mutex.js'

/** Work that one of the nodes that share a database does for all of them, such as collecting garbage. */
export interface Duties {
  /**
   * Runs `work` if no other node has that duty. Within this node, what is run under one name is run one after the other.
   *
   * @param work stops soon when `signal` is aborted: this node may have lost the duty, and another one begin. It must not rely on
   * that: between two looks at the signal, both may be at work
   * @returns what `work` has returned; undefined if another node has the duty
   *
   * Rejects with what `work` throws; with `Unavailable` if the database is away, or this node has no term (`node-without-term`). The
   * signal aborts with `Unavailable` (`duty-lost`).
   */
  run<T>(duty: string, work: (signal: AbortSignal) => Promise<T>): Promise<Done<T> | undefined>
}

export interface Done<T> {
  readonly result: T
}

/** The term of a node, which has the duties of that node. */
export interface DutyTerm {
  readonly number: number
  /** Aborted when the term has ended, or soon may. */
  readonly lost: AbortSignal
}

/** Does the work of a duty with a signal that is aborted when the term is lost. */
export async function whileHeld<T>(
  { lost }: DutyTerm,
  duty: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController()
  const lose = () => stop.abort(dutyLost(duty))
  lost.addEventListener('abort', lose, { once: true })
  if (lost.aborted) lose()
  try {
    return await work(stop.signal)
  } finally {
    lost.removeEventListener('abort', lose)
  }
}

function dutyLost(duty: string): Unavailable {
  return new Unavailable(
    'duty-lost',
    `This node has lost its lease before it was done (${duty}); what it has done stays done: try again in some seconds, here or at another node.`,
  )
}

/** The duties of a node alone: it has all of them, and loses none. */
export class OwnDuties implements Duties {
  readonly #mutex = new KeyedMutex()
  readonly #never = new AbortController().signal

  async run<T>(duty: string, work: (signal: AbortSignal) => Promise<T>): Promise<Done<T>> {
    return await this.#mutex.run(duty, async () => ({ result: await work(this.#never) }))
  }
}
