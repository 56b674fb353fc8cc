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
}

interface Waiting extends PreparedLaunch {
  readonly timer: NodeJS.Timeout
}

/** As far as it decides what a container is created with. */
type Fit = Pick<LaunchPlan, 'prepare' | 'start'>

/**
 * Containers that were created ahead, so that a launch need not wait for one.
 *
 * INVARIANTS
 * - A container serves one launch. One that does not fit is not changed so that it fits.
 * - No launch waits for the preparation of another kind, and none fails because a preparation has failed.
 * - At most one waits for each kind of launch, and `limit` altogether: the next one takes the place of the oldest.
 * - After `stop` there are none. After a crash, a sweep removes them, because they are not live.
 */
export class PreparedLaunches {
  readonly #parts: PreparedLaunchesParts
  /** By kind, oldest first. */
  readonly #waiting = new Map<string, Waiting>()
  /** Never reject. */
  readonly #preparing = new Map<string, Promise<void>>()
  readonly #releasing = new Set<Promise<void>>()
  readonly #stop = new AbortController()

  constructor(parts: PreparedLaunchesParts) {
    this.#parts = parts
  }

  /** How many wait. */
  get count(): number {
    return this.#waiting.size
  }

  /** One that fits, if there is one, or is about to be. */
  async take(plan: Fit): Promise<PreparedLaunch | undefined> {
    if (!Object.keys(plan.start.environment).every(canBeGivenLater)) return undefined
    const kind = kindOf(plan)
    await this.#preparing.get(kind)
    const found = this.#remove(kind)
    if (!found) return undefined
    if (found.container.isWaiting) return found
    this.#release(found)
    return undefined
  }

  /** Has one prepared for the next launch like this one. Does not wait for it. */
  prepare(plan: Fit): void {
    const { limit } = this.#parts
    const kind = kindOf(plan)
    if (limit === 0 || this.#stop.signal.aborted || this.#waiting.has(kind) || this.#preparing.has(kind)) return
    const [oldest] = this.#waiting.keys()
    if (this.#waiting.size + this.#preparing.size >= limit) {
      if (oldest === undefined) return
      this.#discard(oldest)
    }
    const preparing = this.#make(kind, plan).finally(() => this.#preparing.delete(kind))
    this.#preparing.set(kind, preparing)
  }

  /** Releases all that wait: they hold layers and images. Resolves when they are gone. */
  async clear(): Promise<void> {
    for (const kind of [...this.#waiting.keys()]) this.#discard(kind)
    await Promise.all(this.#releasing)
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the daemon stops'))
    await Promise.all(this.#preparing.values())
    await this.clear()
  }

  async #make(kind: string, { prepare, start }: Fit): Promise<void> {
    const { isolation, coordinator, live, logger, forMs } = this.#parts
    const { signal } = this.#stop
    const uuid = randomUUID()
    const step = (name: string, ms: number) => logger.debug({ launch: uuid, step: name, ms }, 'launch step')
    let container: PreparedContainer | undefined
    let port: ReservedPort | undefined
    live.add(uuid)
    try {
      container = await isolation.prepare({ ...prepare, id: uuid }, { step }, signal)
      port = await coordinator.reserve(container.address)
      const { command, workingDirectory, limits } = start
      await container.createAhead({ command, workingDirectory, limits, coordinatorPort: port.port }, signal)
      signal.throwIfAborted()
      const timer = setTimeout(() => this.#discard(kind), forMs).unref()
      this.#waiting.set(kind, { uuid, container, port, timer })
    } catch (error) {
      // The launch that needs it will tell what is wrong.
      logger.debug({ err: error, launch: uuid }, 'no container could be prepared for the next launch')
      await this.#undo(uuid, container, port)
    }
  }

  #remove(kind: string): Waiting | undefined {
    const found = this.#waiting.get(kind)
    this.#waiting.delete(kind)
    clearTimeout(found?.timer)
    return found
  }

  #discard(kind: string): void {
    const found = this.#remove(kind)
    if (found) this.#release(found)
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
