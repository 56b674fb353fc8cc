import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { BadInput, Conflict } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import type { Ending, Isolation, RunHooks } from '../../isolation/isolation.js'
import type { Limits, RunPlan } from '../../isolation/launch-plan.js'
import { BASE_ENVIRONMENT, mergeEnvironments } from '../packages/environment.js'
import type { Package } from '../packages/package.js'
import { resolve } from '../packages/resolve.js'
import type { RunEnding, RunningProgram, RunOutput, RunRequest } from './run.js'
import type { Resolver } from '../resolver/resolver.js'
import type { LiveContainers } from '../staging/live-containers.js'
import { layerOf } from '../staging/plan.js'
import type { PackageRepository } from '../store/repositories.js'

export interface PackageRunsParts {
  readonly packages: PackageRepository
  readonly resolver: Resolver
  readonly isolation: Isolation
  readonly live: LiveContainers
  readonly logger: Logger
  readonly defaults: { readonly limits: Limits; readonly environment: Readonly<Record<string, string>> }
}

/** `runner` where the operating system brings one, as every one of ours does. */
const RUN_USER = 'runner'

/** Ready packages in the foreground: the proof that what was staged runs. */
export class PackageRuns {
  readonly #parts: PackageRunsParts
  readonly #active = new Set<Promise<void>>()
  readonly #stop = new AbortController()

  constructor(parts: PackageRunsParts) {
    this.#parts = parts
  }

  /** Resolves once the program runs; if it rejects, nothing is left of it. Aborting `signal` stops the program. */
  async start(request: RunRequest, hooks: RunOutput, signal: AbortSignal): Promise<RunningProgram> {
    const { isolation, live, logger } = this.#parts
    const either = AbortSignal.any([signal, this.#stop.signal])
    const plan = await this.#plan(request)
    const runHooks: RunHooks = {
      output: (stream, chunk) => hooks.output(stream, chunk),
      repaired: (what) => logger.warn({ run: plan.id, what }, 'somebody removed what a run needs; it is there again'),
    }
    live.add(plan.id)
    let running
    try {
      running = await isolation.run(plan, runHooks, either)
    } catch (error) {
      live.delete(plan.id)
      throw error
    }
    const stop = () => running.stop()
    either.addEventListener('abort', stop)
    if (either.aborted) stop()
    const ended = running.ended.then(async (ending) => {
      either.removeEventListener('abort', stop)
      const { failures } = await running.release()
      live.delete(plan.id)
      for (const { what, error } of failures) logger.error({ err: error, run: plan.id, what }, 'could not be undone')
      return describeEnding(ending)
    })
    const active: Promise<void> = ended.then(() => void this.#active.delete(active))
    this.#active.add(active)
    return { id: plan.id, ports: running.publishedPorts, ended, stop }
  }

  /** Ends every run, and waits until nothing is left of them. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#active)
  }

  async #plan(request: RunRequest): Promise<RunPlan> {
    const { packages, defaults } = this.#parts
    const subject = await packages.get(request.package)
    const fqn = formatFqn({ kind: 'package', namespace: subject.namespace, name: subject.name })
    if (subject.state !== 'ready')
      throw new Conflict(
        'package-not-ready',
        `${fqn} is ${subject.state}: only a ready package can run; stage it first.`,
      )
    const closure = await this.#closure(fqn, subject)
    const environment = mergeEnvironments(
      BASE_ENVIRONMENT,
      defaults.environment,
      ...closure.map((part) => part.environment),
      request.environment,
    )
    const command = request.command ?? environment.START_COMMAND ?? ''
    if (command === '')
      throw new BadInput(
        'no-start-command',
        `${fqn} has no START_COMMAND: give one with --command or -e START_COMMAND=…`,
      )
    return {
      id: randomUUID(),
      root: closure.flatMap(layerOf),
      command,
      workingDirectory: environment.START_PATH || '/',
      user: RUN_USER,
      environment,
      egress: request.egress,
      // A program in the foreground ends when whoever started it says so.
      limits: { ...defaults.limits, timeoutMs: Infinity, ...request.limits },
      publish: request.publish,
    }
  }

  async #closure(fqn: string, subject: Package): Promise<readonly Package[]> {
    return await this.#parts.resolver.with(({ index, rulesOf }) => {
      const { dependencies, uuid } = subject
      const rules = rulesOf(subject, 'run')
      return [...resolve({ subject: fqn, dependencies, index, rules, exclude: uuid }).packages, subject]
    })
  }
}

function describeEnding(ending: Ending): RunEnding {
  switch (ending.kind) {
    case 'exited':
      return { exitCode: ending.exitCode, reason: 'exited' }
    case 'engine-lost':
      return { reason: `engine-lost: ${ending.error.message}` }
    case 'timeout':
    case 'out-of-memory':
    case 'disk-full':
    case 'pids-limit':
    case 'stopped':
      return { reason: ending.kind }
  }
}
