/**
 * What the older staging service needs of a message bus. Messages are delivered at most once: what is not recorded when it
 * arrives is lost with the process.
 *
 * LIFECYCLE
 *
 *   open ──subscribe*──> receiving ──drain──> draining ──close──> closed
 *                            │  ▲
 *                     lost connection, and back: the implementation subscribes again
 *
 * - Open: `subscribe` may be called for several subjects, and `publish` at any time until `close`.
 * - A lost connection is not an error. It is made again for as long as the bus is not closed, and what others publish in
 *   the meantime goes to other members of the group, or to nobody. The same holds for a subscription that the server denies,
 *   at once or later: it is asked for again and again.
 * - Draining: no further message comes, and those that were delivered here before have been handed over when `drain`
 *   resolves. The answers to them are still published. `drain` is idempotent.
 * - Closed: nothing is published any more. `close` may be called in any state, and is idempotent.
 */
export interface MessageBus {
  /**
   * Each message of `subject` goes to one member of `group`, in the order of a publisher.
   *
   * @param handle must not throw, and not wait: a message that is to wait is kept by whoever subscribes
   */
  subscribe(subject: string, group: string, handle: (message: BusMessage) => void): void
  /**
   * Resolves when the server has the subscriptions so far. Throws `Unavailable` (`bus-unreachable`), and `Refused`
   * (`bus-denied`) where the server does not allow one of them.
   */
  ready(): Promise<void>
  /** Why messages do not come at present, in one sentence. Undefined if they come. */
  readonly fault: string | undefined
  /**
   * Resolves when the server has taken the message. When it rejects, the server may have taken it or not, so a repeat may
   * make two of it.
   *
   * Throws `Unavailable` (`bus-unreachable`), `TooLarge` (`message-too-large`), `BadInput` (`bad-subject`), `Refused`
   * (`bus-denied`) where the server does not allow it.
   */
  publish(subject: string, data: Uint8Array): Promise<void>
  drain(): Promise<void>
  close(): Promise<void>
}

export interface BusMessage {
  readonly subject: string
  readonly data: Uint8Array
  /** Where the sender waits for an answer; undefined if it does not wait for one. */
  readonly reply: string | undefined
}

/** A subject to which something can be published: words between dots, without blanks and wildcards. */
export function isSubject(text: string): boolean {
  return /^[^\s.*>\0]+(?:\.[^\s.*>\0]+)*$/.test(text)
}
