import { setTimeout as delay } from 'node:timers/promises'

/** A change of the packet filter: all of its lines are applied, or none. */
export interface FirewallChange {
  /** Input for `iptables-restore`, as `-I INPUT 1 …` or `-D INPUT …`. */
  readonly lines: readonly string[]
  /** Brings about the same after the lines were refused: it looks at what is there first. */
  readonly otherwise: () => Promise<void>
  /** A change that waits is not made after an abort. */
  readonly signal?: AbortSignal | undefined
  /** Whether somebody waits for it: then it is not held back for others. */
  readonly isUrgent: boolean
}

interface Waiting extends FirewallChange {
  readonly settle: (outcome: Promise<void>) => void
}

/** For how long a change that is not urgent waits for others, in milliseconds. Docker takes longer to remove a network. */
const HELD_MS = 50

/**
 * Makes changes with few programs: what is asked for while a transaction runs, or shortly before one, is part of the next.
 *
 * INVARIANTS
 * - A change is made after those that were asked for before it, and resolves when it is in force.
 * - A change that is refused keeps no other from being made.
 */
export class FirewallChanges {
  #waiting: Waiting[] = []
  #isWorking = false
  #wake = new AbortController()

  constructor(
    /** One transaction. */
    private readonly commit: (lines: readonly string[]) => Promise<void>,
    private readonly heldMs = HELD_MS,
  ) {}

  /** Throws what `otherwise` throws, and the reason of its signal. */
  make(change: FirewallChange): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ ...change, settle: resolve })
      if (change.isUrgent) this.#wake.abort()
      if (!this.#isWorking) void this.#work()
    })
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    this.#isWorking = true
    while (this.#waiting.length > 0) {
      await this.#hold()
      const batch = this.#waiting
      this.#waiting = []
      await this.#make(batch)
    }
    this.#isWorking = false
  }

  async #hold(): Promise<void> {
    this.#wake = new AbortController()
    if (this.#waiting.some(({ isUrgent }) => isUrgent)) return
    await delay(this.heldMs, undefined, { signal: this.#wake.signal }).catch(() => undefined)
  }

  /** Never rejects. */
  async #make(batch: readonly Waiting[]): Promise<void> {
    const wanted: Waiting[] = []
    for (const one of batch) {
      if (one.signal?.aborted) one.settle(Promise.reject(one.signal.reason as Error))
      else wanted.push(one)
    }
    if (wanted.length === 0) return
    try {
      await this.commit(wanted.flatMap(({ lines }) => lines))
      for (const one of wanted) one.settle(Promise.resolve())
    } catch {
      // Somebody else has changed the table. Which of the changes that concerns, the tool does not tell.
      for (const one of wanted) {
        const made = one.otherwise()
        one.settle(made)
        await made.catch(() => undefined)
      }
    }
  }
}
