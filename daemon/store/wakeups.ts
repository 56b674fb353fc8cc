/** What listeners are told of, by topic. */
export const WAKEUP_TOPICS = [
  /** A staging may be admitted that the teller does not admit itself. About nothing. */
  'queued',
  /** A running staging is to be cancelled. About its UUID. */
  'cancel',
  /** A node is to be drained, or not any more. About its UUID. */
  'node',
  /** There are tasks of Cloud Foundry that no node has. About nothing. */
  'tasks',
] as const
export type WakeupTopic = (typeof WAKEUP_TOPICS)[number]

/**
 * @param about names what has changed. Undefined if something may have been missed, or several things have changed: then the
 *   listener looks for itself. It must not throw.
 */
export type WakeupListener = (about: string | undefined) => void

/**
 * Tells all nodes that share a database, and this one, that something has changed which they would find at their next look.
 *
 * A wake-up can be lost, can come twice, and can come before the change can be read by a transaction that has begun
 * already: whoever relies on it also looks periodically. It is about what has been committed: `notify` is called after the transaction.
 */
export interface Wakeups {
  /** Returns at once, and never throws. `about` has no more than 200 characters; '' for nothing. */
  notify(topic: WakeupTopic, about: string): void
  /** The listener is called from another turn of the event loop. Returns what ends it: idempotent; nothing is told after it. */
  listen(topic: WakeupTopic, listener: WakeupListener): () => void
}

/** For a database that one process has for itself. */
export class InProcessWakeups implements Wakeups {
  readonly #listeners = new Map<WakeupTopic, Set<{ readonly tell: WakeupListener }>>()

  notify(topic: WakeupTopic, about: string): void {
    setImmediate(() => {
      for (const listener of [...(this.#listeners.get(topic) ?? [])])
        if (this.#listeners.get(topic)?.has(listener)) listener.tell(about)
    })
  }

  listen(topic: WakeupTopic, tell: WakeupListener): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners)
    const listener = { tell }
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
}
