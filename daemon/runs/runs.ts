import type { Logger } from 'pino'
import { Unavailable } from '../../base/errors.js'
import { Holder, type Leases } from '../../base/leases.js'
import type { Ending, Isolation, PreparedContainer, StartHooks } from '../../isolation/isolation.js'
import type { LiveContainers } from '../staging/live-containers.js'
import { planDropletRun, type DropletRunParts } from './plan-droplet-run.js'
import { planPackageRun, type PackageRunParts } from './plan-package-run.js'
import type { RunPlan } from './run-plan.js'
import type { DropletRunRequest, RunEnding, RunningProgram, RunOutput, RunRequest } from './run.js'

export interface RunsParts extends PackageRunParts, DropletRunParts {
  readonly isolation: Isolation
  readonly live: LiveContainers
  readonly liveBlobs: Leases
  readonly logger: Logger
}

/** Runs ready packages and droplets in the foreground. */
export class Runs {
  readonly #parts: RunsParts
  /** From the request on: a start under way may have resources on the host already. */
  readonly #active = new Set<Promise<unknown>>()
  readonly #stop = new AbortController()

  constructor(parts: RunsParts) {
    this.#parts = parts
  }

  /**
   * Resolves when the program runs. If it rejects, all resources of the run have been removed. The program is stopped
   * when `signal` is aborted. Throws `Unavailable` (`stopping`) after `stop`.
   */
  async start(request: RunRequest | DropletRunRequest, hooks: RunOutput, signal: AbortSignal): Promise<RunningProgram> {
    this.#stop.signal.throwIfAborted()
    const started = this.#start(request, hooks, signal)
    const over: Promise<unknown> = started
      .then(({ ended }) => ended)
      .catch(() => undefined)
      .finally(() => this.#active.delete(over))
    this.#active.add(over)
    return await started
  }

  async #start(
    request: RunRequest | DropletRunRequest,
    hooks: RunOutput,
    signal: AbortSignal,
  ): Promise<RunningProgram> {
    const { isolation, live, liveBlobs, logger } = this.#parts
    const either = AbortSignal.any([signal, this.#stop.signal])
    const holder = new Holder()
    // A package of the closure, or the droplet, may be deleted before its layer is built.
    const { prepare, start, hints, templates, namespace } = await liveBlobs.holdFound(
      holder,
      () => this.#plan(request),
      (plan) => plan.prepare.root.map(({ sha256 }) => sha256),
    )
    const { id } = prepare
    const startHooks: StartHooks = {
      output: (stream, chunk) => {
        hints.push(stream, chunk)
        return hooks.output(stream, chunk)
      },
      templates,
      repaired: (what) =>
        logger.warn({ run: id, what }, 'a resource of a run was removed from outside; stagerd has restored it'),
    }
    live.add(id)
    let container: PreparedContainer | undefined
    let running
    try {
      either.throwIfAborted()
      container = await isolation.prepare(prepare, {}, either)
      running = await container.start(start, startHooks, either)
    } catch (error) {
      await this.#release(id, holder, container)
      throw error
    }
    const stop = () => running.stop()
    either.addEventListener('abort', stop)
    if (either.aborted) stop()
    const ended = running.ended.then(async (ending) => {
      either.removeEventListener('abort', stop)
      await this.#release(id, holder, container)
      const hint = hints.of(ending)
      return { ...describeEnding(ending), ...(hint === undefined ? {} : { hint }) }
    })
    const input = (chunks: AsyncIterable<Uint8Array>) => running.input(chunks)
    return { id, namespace, ports: running.publishedPorts, ended, input, stop }
  }

  /** @param container undefined if it could not be prepared */
  async #release(id: string, holder: Holder, container: PreparedContainer | undefined): Promise<void> {
    const { live, logger } = this.#parts
    const report = await container?.release()
    live.delete(id)
    holder.release()
    for (const { what, error } of report?.failures ?? [])
      logger.error({ err: error, run: id, what }, 'a resource of a run could not be removed')
  }

  /** Stops all runs, those that are still starting too, and resolves when all their resources have been removed. */
  async stop(): Promise<void> {
    this.#stop.abort(new Unavailable('stopping', 'stagerd is stopping: try again after its restart.'))
    await Promise.all(this.#active)
  }

  #plan(request: RunRequest | DropletRunRequest): Promise<RunPlan> {
    return 'droplet' in request ? planDropletRun(this.#parts, request) : planPackageRun(this.#parts, request)
  }
}

function describeEnding(ending: Ending): RunEnding {
  switch (ending.kind) {
    case 'exited':
      return { exitCode: ending.exitCode, reason: 'exited' }
    case 'not-runnable':
      return { exitCode: ending.exitCode, reason: `not-runnable: ${ending.reason}` }
    case 'engine-lost':
    case 'limits-unknown':
      return { reason: `${ending.kind}: ${ending.error.message}` }
    case 'timeout':
    case 'out-of-memory':
    case 'disk-full':
    case 'pids-limit':
    case 'stopped':
      return { reason: ending.kind }
  }
}
