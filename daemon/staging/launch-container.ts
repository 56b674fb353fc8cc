import { randomUUID } from 'node:crypto'
import { StagerdError } from '../../base/errors.js'
import { orAborted } from '../../base/or-aborted.js'
import { settleAll } from '../../base/settle-all.js'
import type { CacheFate, PreparedContainer, RunningContainer, StartHooks } from '../../isolation/isolation.js'
import type { CoordinatorListener } from '../coordinator/coordinator-listener.js'
import type { Staging } from '../model/staging.js'
import { reachDirectly } from '../packages/direct-address.js'
import type { LaunchParts } from './launch-parts.js'
import type { LaunchPlan } from './plan.js'
import type { PreparedLaunch } from './prepared-launches.js'
import type { WorkingCopyHandler } from './working-copy-handler.js'

type Step = (name: string, milliseconds: number) => void

/**
 * What a launch has on the host: its container, made for it or taken over, and the listener of its coordinator. A sweep
 * leaves alone what has its UUID, until its release has ended.
 */
export class LaunchContainer {
  #uuid: string = randomUUID()
  /** Taken over, if there was one that fits. */
  #ahead: PreparedLaunch | undefined
  #container: PreparedContainer | undefined
  #listener: CoordinatorListener | undefined
  /** Resolved as long as no program has run: then there is nothing to wait for. */
  #ended: Promise<unknown> = Promise.resolve()
  #released: Promise<void> | undefined

  /** @param handler answers the requests of the container */
  constructor(
    private readonly parts: LaunchParts,
    private readonly staging: Staging,
    private readonly handler: WorkingCopyHandler,
  ) {}

  /** That of the launch. `takeOver` may change it. */
  get uuid(): string {
    return this.#uuid
  }

  /** Takes over a container that was created ahead, if one fits, and has all mounted in it that the launch needs. */
  async takeOver(plan: LaunchPlan, signal: AbortSignal): Promise<void> {
    this.#ahead = await this.parts.prepared.take(plan)
    if (!this.#ahead) return
    ;({ uuid: this.#uuid, container: this.#container } = this.#ahead)
    this.#ahead.reportSteps(this.#stepsOf(this.#uuid))
    void this.#ahead.container.mountAhead(plan.start, signal)
  }

  /** To be called when the launch may begin, right before it is recorded: what was taken over may be of no use any more. */
  begin(): void {
    if (!this.#ahead || this.#ahead.leave()) return
    this.#uuid = randomUUID()
    this.#ahead = this.#container = undefined
  }

  /** To be called once, unless `release` was. Whatever this throws, `release` is to be called. */
  async start(
    plan: LaunchPlan,
    hooks: Pick<StartHooks, 'output' | 'ending'>,
    signal: AbortSignal,
  ): Promise<RunningContainer> {
    const { coordinator, live, logger } = this.parts
    const { start } = plan
    const { uuid } = this
    live.add(uuid)
    const step = this.#stepsOf(uuid)
    const container = (this.#container ??= await this.#prepareWithNetwork(plan, step, signal))
    const startedAt = performance.now()
    const listener = await coordinator.open(this.handler, container.address, this.#ahead?.port)
    this.#listener = listener
    step('listener', performance.now() - startedAt)
    const repaired = (what: string) =>
      logger.warn({ launch: uuid, what }, 'a resource of a launch was removed from outside; stagerd has restored it')
    const running = await container.start(
      {
        ...start,
        environment: { ...reachDirectly(start.environment, container.address), STAGER_URL: listener.url },
        coordinatorPort: listener.port,
      },
      { ...hooks, repaired, ...listener.freezeHooks },
      signal,
    )
    this.#ended = running.ended
    return running
  }

  #stepsOf(launch: string): Step {
    const { logger, stepEnded } = this.parts
    return (step, milliseconds) => {
      stepEnded?.({ staging: this.staging.uuid, launch, step, milliseconds })
      logger.debug({ launch, step, ms: milliseconds }, 'launch step')
    }
  }

  /** What is still being removed, and what was created ahead, may have the last networks of the pool. */
  async #prepareWithNetwork(plan: LaunchPlan, step: Step, signal: AbortSignal): Promise<PreparedContainer> {
    try {
      return await this.#prepare(plan, step, signal)
    } catch (error) {
      if (!(error instanceof StagerdError && error.code === 'no-free-network')) throw error
      const { prepared, releases } = this.parts
      await orAborted(Promise.all([prepared.clear(), releases.current()]), signal)
      return await this.#prepare(plan, step, signal)
    }
  }

  async #prepare({ prepare, start }: LaunchPlan, step: Step, signal: AbortSignal): Promise<PreparedContainer> {
    const { isolation } = this.parts
    // The layers of /stagerfs are needed only in `start`, but building them the first time can take as long as building
    // those of the root.
    const [container] = await settleAll([
      isolation.prepare({ ...prepare, id: this.uuid }, { step }, signal).then((made) => (this.#container = made)),
      ...start.stagerfs.map((source) => isolation.materialise(source, signal)),
    ])
    return container
  }

  /** Resolves when nothing of it is left. The first call decides what becomes of the cache. Never rejects. */
  release(cache: CacheFate | Promise<CacheFate> = 'drop'): Promise<void> {
    this.#released ??= this.#undo(cache)
    return this.#released
  }

  async #undo(cache: CacheFate | Promise<CacheFate>): Promise<void> {
    const { janitor, live, logger } = this.parts
    // Until then, its refusals are told.
    void Promise.resolve(cache).then(() => this.handler.close())
    this.#ahead?.leave()
    const releasing = this.#container?.release(cache)
    const [report] = await Promise.all([
      releasing,
      // As long as the container runs, no other process may get the port, because the container can reach it.
      this.#ended
        .then(() => (this.staging.keepFailedMs === undefined ? undefined : releasing))
        .then(() => this.#listener?.close() ?? this.#ahead?.port.close()),
    ])
    live.delete(this.uuid)
    if (!report || report.failures.length === 0) return
    for (const { what, error } of report.failures)
      logger.error({ err: error, launch: this.uuid, what }, 'a resource of a launch could not be removed')
    await janitor.trySweep()
  }
}
