import { randomUUID } from 'node:crypto'
import { BadInput, Conflict } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import { choosableRuntimes } from '../packages/choosable-runtimes.js'
import { startPathOf } from '../packages/environment.js'
import { containerEnvironment } from '../packages/node-environment.js'
import type { Package } from '../packages/package.js'
import { resolve } from '../packages/resolve.js'
import type { Resolver } from '../resolver/resolver.js'
import { hintContext, type HintFacts } from '../staging/hints/hint-context.js'
import { layerOf } from '../staging/plan.js'
import type { PackageRepository } from '../store/repositories.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import { RunHints } from './run-hints.js'
import { limitsOfRun, RUN_USER, type RunDefaults, type RunPlan } from './run-plan.js'
import { fillInVariables, rootTemplates, templateDataOf } from './run-templates.js'
import type { RunRequest } from './run.js'
import { whyNotReady } from './why-not-ready.js'

export interface PackageRunParts {
  readonly packages: PackageRepository
  /** For the reason why a package is not ready. */
  readonly ledger: Pick<StagingLedger, 'list'>
  readonly resolver: Resolver
  readonly defaults: RunDefaults
}

/** Throws `NotFound`, `Conflict` (`package-not-ready`), `BadInput` (`no-start-command`), and what a resolution throws. */
export async function planPackageRun(parts: PackageRunParts, request: RunRequest): Promise<RunPlan> {
  const { packages, defaults } = parts
  const subject = await packages.get(request.package)
  const fqn = formatFqn('package', subject)
  if (!subject.usable) throw await notReady(parts, fqn, subject)
  const { closure, runtimes } = await closureOf(parts, fqn, subject)
  const id = randomUUID()
  const limits = limitsOfRun(defaults.limits, request.limits, subject.manifest)
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
    throw new BadInput('no-start-command', `${fqn} has no START_COMMAND: give one with --command or -e START_COMMAND=…`)
  return {
    namespace: subject.namespace,
    hints: new RunHints(
      hintContext({
        program: { kind: 'run', command: 'stagectl run' },
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

async function notReady({ ledger }: PackageRunParts, fqn: string, { uuid, state }: Package): Promise<Conflict> {
  const [newest] = await ledger.list({ packageUuid: uuid, limit: 1 })
  return new Conflict('package-not-ready', whyNotReady(fqn, state, newest))
}

async function closureOf(
  { resolver }: PackageRunParts,
  fqn: string,
  subject: Package,
): Promise<Pick<HintFacts, 'runtimes'> & { closure: readonly Package[] }> {
  return await resolver.with(({ index, rulesOf }) => {
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

/** With several ports, only the package knows which of them its program calls PORT. */
function portOf({ publish }: RunRequest): Readonly<Record<string, string>> {
  const [port, ...others] = new Set(publish.map(({ containerPort }) => containerPort))
  return port === undefined || others.length > 0 ? {} : { PORT: String(port) }
}
