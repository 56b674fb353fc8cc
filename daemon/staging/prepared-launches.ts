import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { canonicalJson } from '../../base/canonical-json.js'
import type { Isolation, PreparedContainer } from '../../isolation/isolation.js'
import { canBeGivenLater } from '../../isolation/later-variables.js'
import type { Coordinator } from '../coordinator/coordinator.js'
import type { ReservedPort } from '../coordinator/reserved-port.js'
import type { Janitor } from './janitor.js'
import type { LiveContainers } from './live-containers.js'
import type { LaunchPlan } from './plan.js'

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
}

/** What a launch takes over, with the duty to release it. It has the UUID of that launch. */
export interface PreparedLaunch {
  readonly uuid: string
  readonly container: PreparedContainer
  readonly port: ReservedPort
  /** From then on, `report` gets the steps of its container. */
  readonly reportSteps: (report: (step: string, milliseconds: number) => void) => void
}

interface Waiting extends PreparedLaunch {
  readonly kind: string
  readonly timer: NodeJS.Timeout
}

/** For a stager that asks for a relaunch, and the one after it. */
const MOST_OF_A_KIND = 2

/** As far as it decides what a container is created with. */
type Fit = Pick<LaunchPlan, 'prepare' | 'start'>

/**
 * Containers that were created ahead, so that a launch need not wait for one.
 *
 * INVARIANTS
 * - A container serves one launch. One that does not fit is not changed so that it fits.
 * - No launch waits for the preparation of another kind, and none fails because a preparation has failed.
 * - At most `limit` wait altogether. The first of a kind takes the place of the oldest; a second one, for a relaunch, only a
 *   place that is free.
 * - After `stop` there are none. After a crash, a sweep removes them, because they are not live.
 */
export class PreparedLaunches {
  readonly #parts: PreparedLaunchesParts
  /** Oldest first. */
  readonly #waiting: Waiting[] = []
  /** The one that is being made, by kind. They never reject. */
  readonly #preparing = new Map<string, Promise<boolean>>()
  /** Kinds of which one has been taken while another was being made. */
  readonly #again = new Set<string>()
  readonly #releasing = new Set<Promise<void>>()
  readonly #stop = new AbortController()

  constructor(parts: PreparedLaunchesParts) {
    this.#parts = parts
  }

  /** How many wait. */
  get count(): number {
    return this.#waiting.length
  }

  /** One that fits, if there is one, or is about to be. */
  async take(plan: Fit): Promise<PreparedLaunch | undefined> {
    if (!Object.keys(plan.start.environment).every(canBeGivenLater)) return undefined
    const kind = kindOf(plan)
    if (this.#countOf(kind) === 0) await this.#preparing.get(kind)
    const found = this.#waiting.find((one) => one.kind === kind)
    if (!found) return undefined
    this.#remove(found)
    if (found.container.isWaiting) return found
    this.#release(found)
    return undefined
  }

  /** Has one prepared for the next launch like this one, and one more if there is room. Does not wait for them. */
  prepare(plan: Fit): void {
    const { limit } = this.#parts
    const kind = kindOf(plan)
    if (limit === 0 || this.#stop.signal.aborted) return
    if (this.#preparing.has(kind)) this.#again.add(kind)
    else void this.#fill(kind, plan)
  }

  /** Releases all that wait: they hold layers and images. Resolves when they are gone. */
  async clear(): Promise<void> {
    for (const one of [...this.#waiting]) this.#discard(one)
    await Promise.all(this.#releasing)
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the daemon stops'))
    // A failure makes no second one.
    await Promise.all(this.#preparing.values())
    await this.clear()
  }

  #countOf(kind: string): number {
    return this.#waiting.filter((one) => one.kind === kind).length
  }

  /** Each kind that is being prepared has a place. */
  get #taken(): number {
    return this.#waiting.length + this.#preparing.size
  }

  /** One after the other: the launch that has just begun needs the processors too. */
  async #fill(kind: string, plan: Fit): Promise<void> {
    do {
      for (let made = 0; made < MOST_OF_A_KIND && this.#countOf(kind) < MOST_OF_A_KIND; made++) {
        if (this.#stop.signal.aborted || !this.#hasPlace(kind)) break
        const making = this.#make(kind, plan)
        this.#preparing.set(kind, making)
        if (!(await making)) break
      }
    } while (this.#again.delete(kind))
    this.#preparing.delete(kind)
  }

  /** Makes room for the first of a kind. */
  #hasPlace(kind: string): boolean {
    const others = this.#taken - (this.#preparing.has(kind) ? 1 : 0)
    if (others < this.#parts.limit) return true
    const [oldest] = this.#waiting
    if (!oldest || this.#countOf(kind) > 0) return false
    this.#discard(oldest)
    return true
  }

  /** Returns whether there is one more. */
  async #make(kind: string, { prepare, start }: Fit): Promise<boolean> {
    const { isolation, coordinator, live, logger, forMs } = this.#parts
    const { signal } = this.#stop
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
      const timer = setTimeout(() => this.#discard(one), forMs).unref()
      const reportSteps: PreparedLaunch['reportSteps'] = (to) => (report = to)
      const one = { kind, uuid, container, port, reportSteps, timer }
      this.#waiting.push(one)
      return true
    } catch (error) {
      // The launch that needs it will tell what is wrong.
      logger.debug({ err: error, launch: uuid }, 'no container could be prepared for the next launch')
      await this.#undo(uuid, container, port)
      return false
    }
  }

  /** Returns whether it was still there. */
  #remove(one: Waiting): boolean {
    clearTimeout(one.timer)
    const index = this.#waiting.indexOf(one)
    if (index >= 0) this.#waiting.splice(index, 1)
    return index >= 0
  }

  #discard(one: Waiting): void {
    if (this.#remove(one)) this.#release(one)
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

/** Launches of one kind can be served by the same container. */
function kindOf({ prepare, start }: Fit): string {
  const { root, shims, user, egress, publish } = prepare
  const { command, workingDirectory, limits } = start
  const layers = root.map(({ sha256, removals }) => ({ sha256, removals }))
  return canonicalJson({ layers, shims, user, egress, publish, command, workingDirectory, limits })
}
