import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { Isolation, PreparedContainer } from '../../isolation/isolation.js'
import { canBeGivenLater } from '../../isolation/later-variables.js'
import type { Coordinator } from '../coordinator/coordinator.js'
import type { ReservedPort } from '../coordinator/reserved-port.js'
import type { Janitor } from './janitor.js'
import type { LiveContainers } from './live-containers.js'
import { both, kindOf, type Fit, type Preparation } from './preparation.js'
import { isMoreThanWaiting } from './waiting-bounds.js'

export interface PreparedLaunchesParts {
  readonly isolation: Pick<Isolation, 'prepare'>
  readonly coordinator: Pick<Coordinator, 'reserve'>
  readonly live: LiveContainers
  readonly janitor: Pick<Janitor, 'trySweep'>
  readonly logger: Pick<Logger, 'debug' | 'error'>
  /** How many wait at most; 0: none. */
  readonly limit: number
  /** How long one waits at most, in milliseconds. */
  readonly forMs: number
  /** For tests: how often it is looked at what they use, in milliseconds. */
  readonly lookMs?: number
}

/** What a launch takes over, with the duty to release it when it has left. It has the UUID of that launch. */
export interface PreparedLaunch {
  readonly uuid: string
  readonly container: PreparedContainer
  readonly port: ReservedPort
  /** From then on, `report` gets the steps of its container. */
  readonly reportSteps: (report: (step: string, milliseconds: number) => void) => void
  /**
   * To be called when the launch begins, or is given up: until then it is looked after as any other that waits. False if it has
   * become of no use, and is being released.
   */
  readonly leave: () => boolean
}

interface Waiting extends PreparedLaunch {
  readonly kind: string
  readonly timers: readonly NodeJS.Timeout[]
  /** Of memory, as it was last seen; 0 before that. */
  bytes: number
  /** What its stager may write. */
  readonly diskBytes: number
  isLookedAt: boolean
  /** By a launch that has not begun: no other one gets it, and it makes no way. */
  isTaken: boolean
}

/** What becomes of those that were created ahead: the first is what they are for. */
export const PREPARED_OUTCOMES = [
  'used',
  /** It made way for one of another kind, for which it did not fit. */
  'replaced',
  'expired',
  'too-large',
  /** Its container has ended by itself or printed something, or the Engine was lost. */
  'lost',
  /** For a collection of garbage, for a launch without a network, or at the end of the daemon. */
  'released',
] as const
export type PreparedOutcome = (typeof PREPARED_OUTCOMES)[number]

/** How often it is looked at what they use, in milliseconds. Most are used sooner on a busy node, and are not looked at. */
const LOOK_MS = 1_000

/**
 * Containers that were created ahead, so that a launch need not wait for one.
 *
 * INVARIANTS
 * - A container serves one launch. One that does not fit is not changed so that it fits.
 * - A launch waits only for one of its kind that is being made already, and only if no other launch waits for that: it is
 *   there sooner than one that the launch would begin now. None fails because a preparation has failed.
 * - None uses more than a shell that reads, for longer than `LOOK_MS`; so all of them use little memory, and no processor.
 * - At most `limit` wait altogether. Only the first of a kind takes the place of the oldest, and only if that is asked for.
 * - After `stop` there are none. After a crash, a sweep removes them, because they are not live.
 */
export class PreparedLaunches {
  readonly #parts: PreparedLaunchesParts
  /** Oldest first. */
  readonly #waiting: Waiting[] = []
  /** The one that is being made, by kind. They never reject. */
  readonly #preparing = new Map<string, Promise<boolean>>()
  /** Kinds for which more was asked for while one was being made. */
  readonly #again = new Map<string, Preparation>()
  readonly #filling = new Map<string, Promise<void>>()
  /** Kinds of which the next one is for a launch that waits for it. */
  readonly #claimed = new Set<string>()
  readonly #outcomes = new Map<PreparedOutcome, number>()
  readonly #releasing = new Set<Promise<void>>()
  /** Of those that are being made. Not renewed after `stop`. */
  #making = new AbortController()
  #isStopped = false

  constructor(parts: PreparedLaunchesParts) {
    this.#parts = parts
  }

  /** How many wait. */
  get count(): number {
    return this.#waiting.length
  }

  /** Whether none is ever created. */
  get isOff(): boolean {
    return this.#parts.limit === 0 || this.#isStopped
  }

  /** How many more could wait. */
  get free(): number {
    return Math.max(0, this.#parts.limit - this.#taken)
  }

  /** Bytes of memory that those use that wait. */
  get memoryBytes(): number {
    return this.#waiting.reduce((total, { bytes }) => total + bytes, 0)
  }

  /** What has become of how many, since the daemon has started. */
  outcomes(outcome: PreparedOutcome): number {
    return this.#outcomes.get(outcome) ?? 0
  }

  /** One that fits, if there is one, or is about to be. */
  async take(plan: Fit): Promise<PreparedLaunch | undefined> {
    if (!Object.keys(plan.start.environment).every(canBeGivenLater)) return undefined
    const kind = kindOf(plan)
    if (this.#claimed.has(kind)) {
      if (this.#countOf(kind) < 2) return undefined
    } else if (this.#countOf(kind) === 0) {
      this.#claimed.add(kind)
      await this.#preparing.get(kind)
      this.#claimed.delete(kind)
    }
    const found = this.#waiting.find((one) => one.kind === kind && !one.isTaken)
    if (!found) return undefined
    if (!found.container.isWaiting) {
      this.#discard(found, 'lost')
      return undefined
    }
    found.isTaken = true
    return found
  }

  /** Has one prepared for a launch like this one, or more. Resolves when that is over, and never rejects. */
  async prepare(plan: Fit, preparation: Preparation = {}): Promise<void> {
    if (this.isOff) return
    const kind = kindOf(plan)
    const filling = this.#filling.get(kind)
    if (filling) this.#again.set(kind, both(this.#again.get(kind), preparation))
    else
      this.#filling.set(
        kind,
        this.#fill(kind, plan, preparation).finally(() => this.#filling.delete(kind)),
      )
    await this.#filling.get(kind)
  }

  /** Releases all that no launch has, and those that are being made: they hold layers and networks. Resolves when they are gone. */
  async clear(): Promise<void> {
    this.#making.abort(new Error('what was created ahead is released'))
    if (!this.#isStopped) this.#making = new AbortController()
    for (const one of this.#waiting.filter(({ isTaken }) => !isTaken)) this.#discard(one, 'released')
    await Promise.all([...this.#preparing.values(), ...this.#releasing])
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.clear()
  }

  #countOf(kind: string): number {
    return this.#waiting.filter((one) => one.kind === kind && !one.isTaken).length
  }

  /** Each kind that is being prepared has a place. */
  get #taken(): number {
    return this.#waiting.length + this.#preparing.size
  }

  /** One after the other: the launch that has just begun needs the processors too. */
  async #fill(kind: string, plan: Fit, asked: Preparation): Promise<void> {
    let next: Preparation | undefined = asked
    while (next) {
      const { most = 1, makesWay = true }: Preparation = next
      const { signal } = this.#making
      for (let made = 0; made < most && this.#countOf(kind) < most; made++) {
        if (signal.aborted || !this.#hasPlace(kind, makesWay)) break
        const making = this.#make(kind, plan, signal)
        this.#preparing.set(kind, making)
        const isMade = await making
        this.#preparing.delete(kind)
        if (!isMade) break
      }
      next = this.#again.get(kind)
      this.#again.delete(kind)
    }
  }

  /** Makes room for the first of a kind. */
  #hasPlace(kind: string, makesWay: boolean): boolean {
    if (this.free > 0) return true
    const oldest = this.#waiting.find(({ isTaken }) => !isTaken)
    if (!makesWay || !oldest || this.#countOf(kind) > 0) return false
    this.#discard(oldest, 'replaced')
    return true
  }

  /** Returns whether there is one more. */
  async #make(kind: string, { prepare, start }: Fit, signal: AbortSignal): Promise<boolean> {
    const { isolation, coordinator, live, logger, forMs, lookMs = LOOK_MS } = this.#parts
    const uuid = randomUUID()
    let report = (step: string, ms: number) => logger.debug({ launch: uuid, step, ms }, 'launch step')
    let container: PreparedContainer | undefined
    let port: ReservedPort | undefined
    live.add(uuid)
    try {
      container = await isolation.prepare({ ...prepare, id: uuid }, { step: (name, ms) => report(name, ms) }, signal)
      port = await coordinator.reserve(container.address)
      const { command, workingDirectory, limits } = start
      await container.createAhead({ command, workingDirectory, limits, coordinatorPort: port.port }, signal)
      signal.throwIfAborted()
      const timers = [
        setTimeout(() => one.isTaken || this.#discard(one, 'expired'), forMs).unref(),
        setInterval(() => void this.#look(one), lookMs).unref(),
      ]
      const reportSteps: PreparedLaunch['reportSteps'] = (to) => (report = to)
      const one: Waiting = {
        kind,
        uuid,
        container,
        port,
        reportSteps,
        timers,
        bytes: 0,
        diskBytes: limits.diskBytes,
        isLookedAt: false,
        isTaken: false,
        leave: () => this.#leave(one),
      }
      this.#waiting.push(one)
      return true
    } catch (error) {
      // The launch that needs it will tell what is wrong.
      logger.debug({ err: error, launch: uuid }, 'no container could be prepared for the next launch')
      await this.#undo(uuid, container, port)
      return false
    }
  }

  /** Never rejects. */
  async #look(one: Waiting): Promise<void> {
    // A disk that is full of files may take longer to measure.
    if (one.isLookedAt) return
    one.isLookedAt = true
    const use = await one.container.waitingUse()
    one.isLookedAt = false
    if (use) one.bytes = use.memoryBytes
    if (use && isMoreThanWaiting(use, one.diskBytes)) this.#discard(one, 'too-large')
    else if (!one.container.isWaiting) this.#discard(one, 'lost')
  }

  #leave(one: Waiting): boolean {
    if (one.container.isWaiting) return this.#remove(one, 'used')
    this.#discard(one, 'lost')
    return false
  }

  /** Returns whether it was still there. */
  #remove(one: Waiting, outcome: PreparedOutcome): boolean {
    const index = this.#waiting.indexOf(one)
    if (index < 0) return false
    // clearTimeout clears intervals, too.
    one.timers.forEach(clearTimeout)
    this.#waiting.splice(index, 1)
    this.#outcomes.set(outcome, this.outcomes(outcome) + 1)
    return true
  }

  #discard(one: Waiting, outcome: PreparedOutcome): void {
    if (this.#remove(one, outcome)) this.#release(one)
  }

  #release({ uuid, container, port }: PreparedLaunch): void {
    const releasing = this.#undo(uuid, container, port).finally(() => this.#releasing.delete(releasing))
    this.#releasing.add(releasing)
  }

  /** Never rejects. */
  async #undo(uuid: string, container: PreparedContainer | undefined, port: ReservedPort | undefined): Promise<void> {
    const { janitor, live, logger } = this.#parts
    const report = await container?.release()
    // As long as the container is there, no other process may get the port.
    await port?.close()
    live.delete(uuid)
    if (!report || report.failures.length === 0) return
    for (const { what, error } of report.failures)
      logger.error({ err: error, launch: uuid, what }, 'a resource of a prepared launch could not be removed')
    await janitor.trySweep()
  }
}
