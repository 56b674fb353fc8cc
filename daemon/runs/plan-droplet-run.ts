import { randomUUID } from 'node:crypto'
import { BadInput } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import type { Limits } from '../../isolation/launch-plan.js'
import { choosableRuntimes } from '../packages/choosable-runtimes.js'
import { DROPLET_HOME, runnerScript } from '../packages/droplet/runner-script.js'
import type { Capability } from '../packages/metadata.js'
import { containerEnvironment } from '../packages/node-environment.js'
import { withoutVersion } from '../packages/resolution/other-versions.js'
import { resolve } from '../packages/resolve.js'
import type { Resolver } from '../resolver/resolver.js'
import { hintContext } from '../staging/hints/hint-context.js'
import { layerOf } from '../staging/plan.js'
import type { ResourceIngest } from '../store/resource-ingest.js'
import { RunHints } from './run-hints.js'
import { limitsOfRun, RUN_USER, type RunDefaults, type RunPlan } from './run-plan.js'
import type { DropletRunRequest } from './run.js'

export interface DropletRunParts {
  readonly ingest: Pick<ResourceIngest, 'reuse'>
  readonly resolver: Resolver
  readonly defaults: RunDefaults
}

/** The port of a droplet of which none is published. */
const DEFAULT_PORT = 8080

/** Throws `NotFound` (`resource-not-found`), `BadInput` (`no-runtime`), and what a resolution throws. */
export async function planDropletRun(
  { ingest, resolver, defaults }: DropletRunParts,
  request: DropletRunRequest,
): Promise<RunPlan> {
  const { name, namespace, dependencies, egress, publish } = request
  if (dependencies.length === 0)
    throw new BadInput(
      'no-runtime',
      `The droplet ${name} does not say what it runs on, because stagerd has not made it: choose a runtime with --runtime, such as --runtime ruby.`,
    )
  const { sha256 } = await ingest.reuse(request.droplet)
  const subject = formatFqn('package', { namespace, name })
  const { packages, runtimes } = await resolver.with(({ index, rulesOf }) => {
    const question = { subject, index, rules: rulesOf({ namespace, name }, 'run') }
    return {
      packages: resolve({ ...question, dependencies }).packages,
      runtimes: choosableRuntimes({ ...question, dependencies: [] }),
    }
  })
  const id = randomUUID()
  const limits = limitsOfRun(defaults.limits, request.limits)
  const environment = containerEnvironment(
    defaults.environment,
    request,
    ...packages.map((one) => one.environment),
    variablesOf(id, request, limits),
    request.environment,
  )
  const published = publish.map(({ containerPort }) => containerPort)
  return {
    namespace,
    hints: new RunHints(
      hintContext({
        program: { kind: 'run', command: 'stagectl droplet run' },
        ...{ egress, published, environment, limits, runtimes },
        node: defaults.environment,
      }),
    ),
    prepare: {
      id,
      root: [...packages.flatMap(layerOf), { name: `droplet ${name}`, sha256, removals: [] }],
      shims: false,
      user: RUN_USER,
      egress,
      publish,
    },
    start: {
      command: runnerScript(executableOf(dependencies)),
      endsItself: true,
      workingDirectory: DROPLET_HOME,
      environment,
      limits,
      stagerfs: undefined,
      coordinatorPort: undefined,
      cache: undefined,
    },
    templates: [],
  }
}

/** What the execution agents of Cloud Foundry gave to an application. */
function variablesOf(
  id: string,
  { name, publish, services }: DropletRunRequest,
  { memoryBytes, diskBytes }: Limits,
): Readonly<Record<string, string>> {
  const port = publish[0]?.containerPort ?? DEFAULT_PORT
  const [mem, disk] = [memoryBytes, diskBytes].map((bytes) => Math.floor(bytes / 1024 ** 2))
  const application = {
    instance_id: id.replaceAll('-', ''),
    instance_index: 0,
    host: '0.0.0.0',
    port,
    limits: { mem, disk },
    application_name: name,
    name,
    application_uris: [],
    uris: [],
  }
  return {
    HOME: `${DROPLET_HOME}/app`,
    PORT: String(port),
    VCAP_APP_HOST: '0.0.0.0',
    VCAP_APP_PORT: String(port),
    VCAP_APPLICATION: JSON.stringify(application),
    VCAP_SERVICES: services,
  }
}

/** Of the first runtime: `ruby` for `ruby-3.1`. Undefined also for a name that a shell would take for something else. */
function executableOf(dependencies: readonly Capability[]): string | undefined {
  const runtime = dependencies.find(({ type }) => type === 'runtime')
  const executable = runtime && withoutVersion(runtime.name)
  return executable !== undefined && /^[A-Za-z][\w+.-]*$/.test(executable) ? executable : undefined
}
