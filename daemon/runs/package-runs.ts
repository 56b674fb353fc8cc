import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { BadInput, Conflict, Unavailable } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import { Holder, type Leases } from '../../base/leases.js'
import type { Ending, Isolation, PreparedContainer, RootTemplate, StartHooks } from '../../isolation/isolation.js'
import type { Limits, PreparePlan, StartPlan } from '../../isolation/launch-plan.js'
import { choosableRuntimes } from '../packages/choosable-runtimes.js'
import { startPathOf } from '../packages/environment.js'
import type { Manifest } from '../packages/manifest/manifest.js'
import { containerEnvironment, type NodeEnvironment } from '../packages/node-environment.js'
import type { Package } from '../packages/package.js'
import { resolve } from '../packages/resolve.js'
import { RunHints } from './run-hints.js'
import { fillInVariables, rootTemplates, templateDataOf } from './run-templates.js'
import type { RunEnding, RunningProgram, RunOutput, RunRequest } from './run.js'
import type { Resolver } from '../resolver/resolver.js'
import { hintContext, type HintFacts } from '../staging/hints/hint-context.js'
import type { LiveContainers } from '../staging/live-containers.js'
import { layerOf } from '../staging/plan.js'
import type { PackageRepository } from '../store/repositories.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import { whyNotReady } from './why-not-ready.js'

export interface PackageRunsParts {
  readonly packages: PackageRepository
  /** For the reason why a package is not ready. */
  readonly ledger: Pick<StagingLedger, 'list'>
  readonly resolver: Resolver
  readonly isolation: Isolation
  readonly live: LiveContainers
  readonly liveBlobs: Leases
  readonly logger: Logger
  readonly defaults: { readonly limits: Limits; readonly environment: NodeEnvironment }
}

/** All operating-system packages of stagerd have this user. */
const RUN_USER = 'runner'

interface RunPlan {
  /** Of the package. */
  readonly namespace: string
  readonly prepare: PreparePlan
  readonly start: StartPlan
  readonly hints: RunHints
  readonly templates: readonly RootTemplate[]
}

/** Runs ready packages in the foreground. */
export class PackageRuns {
  readonly #parts: PackageRunsParts
  /** From the request on: a start under way may have resources on the host already. */
  readonly #active = new Set<Promise<unknown>>()
  readonly #stop = new AbortController()

  constructor(parts: PackageRunsParts) {
    this.#parts = parts
  }

  /**
   * Resolves when the program runs. If it rejects, all resources of the run have been removed. The program is stopped
   * when `signal` is aborted. Throws `Unavailable` (`stopping`) after `stop`.
   */
  async start(request: RunRequest, hooks: RunOutput, signal: AbortSignal): Promise<RunningProgram> {
    this.#stop.signal.throwIfAborted()
    const started = this.#start(request, hooks, signal)
    const over: Promise<unknown> = started
      .then(({ ended }) => ended)
      .catch(() => undefined)
      .finally(() => this.#active.delete(over))
    this.#active.add(over)
    return await started
  }

  async #start(request: RunRequest, hooks: RunOutput, signal: AbortSignal): Promise<RunningProgram> {
    const { isolation, live, liveBlobs, logger } = this.#parts
    const either = AbortSignal.any([signal, this.#stop.signal])
    const holder = new Holder()
    // A package of the closure may be deleted before its layer is built.
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

  async #plan(request: RunRequest): Promise<RunPlan> {
    const { packages, defaults } = this.#parts
    const subject = await packages.get(request.package)
    const fqn = formatFqn('package', subject)
    if (!subject.usable) throw await this.#notReady(fqn, subject)
    const { closure, runtimes } = await this.#closure(fqn, subject)
    const id = randomUUID()
    // A foreground program runs until the client stops it.
    const limits = { ...defaults.limits, timeoutMs: Infinity, ...limitsOf(subject.manifest), ...request.limits }
    const merged = containerEnvironment(
      defaults.environment,
      request,
      portOf(request),
      ...closure.map((part) => part.environment),
      request.environment,
    )
    const environment = fillInVariables(subject.manifest, merged, templateDataOf(id, subject, limits, merged))
    const command = request.command ?? environment.START_COMMAND ?? ''
    if (command === '')
      throw new BadInput(
        'no-start-command',
        `${fqn} has no START_COMMAND: give one with --command or -e START_COMMAND=…`,
      )
    return {
      namespace: subject.namespace,
      hints: new RunHints(
        hintContext({
          program: { kind: 'run' },
          egress: request.egress,
          published: request.publish.map(({ containerPort }) => containerPort),
          environment,
          node: defaults.environment,
          limits,
          runtimes,
        }),
      ),
      prepare: {
        id,
        root: closure.flatMap(layerOf),
        shims: false,
        user: request.user ?? RUN_USER,
        egress: request.egress,
        publish: request.publish,
      },
      start: {
        command,
        input: request.input,
        workingDirectory: startPathOf(environment) ?? '/',
        environment,
        limits,
        stagerfs: undefined,
        coordinatorPort: undefined,
        cache: undefined,
      },
      templates: rootTemplates(closure, templateDataOf(id, subject, limits, environment)),
    }
  }

  async #notReady(fqn: string, { uuid, state }: Package): Promise<Conflict> {
    const [newest] = await this.#parts.ledger.list({ packageUuid: uuid, limit: 1 })
    return new Conflict('package-not-ready', whyNotReady(fqn, state, newest))
  }

  async #closure(
    fqn: string,
    subject: Package,
  ): Promise<Pick<HintFacts, 'runtimes'> & { closure: readonly Package[] }> {
    return await this.#parts.resolver.with(({ index, rulesOf }) => {
      const { dependencies, uuid } = subject
      const rules = rulesOf(subject, 'run')
      const { packages } = resolve({ subject: fqn, dependencies, index, rules, exclude: uuid })
      // Those that it can ask for when it is staged anew.
      const runtimes = choosableRuntimes({
        subject: fqn,
        dependencies: [],
        index,
        rules: rulesOf(subject, 'staging'),
        exclude: uuid,
      })
      return { closure: [...packages, subject], runtimes }
    })
  }
}

/** What the manifest of a package limits. */
function limitsOf(manifest: Manifest | undefined): Partial<Limits> {
  const { cpu, memory_bytes: memoryBytes, disk_bytes: diskBytes } = manifest?.resources ?? {}
  return {
    ...(cpu === undefined ? {} : { cpus: cpu / 1000 }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(diskBytes === undefined ? {} : { diskBytes }),
  }
}

/** With several ports, only the package knows which of them its program calls PORT. */
function portOf({ publish }: RunRequest): Readonly<Record<string, string>> {
  const [port, ...others] = new Set(publish.map(({ containerPort }) => containerPort))
  return port === undefined || others.length > 0 ? {} : { PORT: String(port) }
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
