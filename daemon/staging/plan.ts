import { Unresolved } from '../../base/errors.js'
import { formatFqn, parseFqn } from '../../base/fqn.js'
import type { LayerSource, PreparePlan, StartPlan } from '../../isolation/launch-plan.js'
import type { Catalogue } from '../packages/catalogue.js'
import { BASE_ENVIRONMENT, mergeEnvironments } from '../packages/environment.js'
import type { Package } from '../packages/package.js'
import { resolve, type Resolution } from '../packages/resolve.js'
import type { StagerSnapshot, Staging } from '../model/staging.js'

/** Where a program starts when its package has no START_PATH, or an empty one, which the field uses for none. */
const DEFAULT_START_PATH = '/app'

export interface PlanSettings {
  /** Given to every stager below everything else, such as the variables that point to a bundle of CA certificates. */
  readonly environment: Readonly<Record<string, string>>
}

export interface LaunchPlan {
  readonly prepare: PreparePlan
  readonly start: LaunchStart
}

/** What is to be started, but for what only the coordinator's listener tells. */
export interface LaunchStart extends Omit<StartPlan, 'coordinatorPort'> {
  readonly stagerfs: readonly LayerSource[]
}

/**
 * What the next launch of a staging needs.
 *
 * Throws `Unresolved` when a dependency of the stager or of the package has no solution, or when the stager's own
 * package is not there any more; `Refused` (`policy`) when it is policy alone that leaves none.
 */
export function planLaunch(staging: Staging, launch: string, catalogue: Catalogue, settings: PlanSettings): LaunchPlan {
  const stager = currentStager(staging)
  const program = catalogue.ready.find(({ uuid }) => uuid === stager.packageUuid)
  if (!program?.resource)
    throw new Unresolved(
      'stager-package-missing',
      `The package of stager ${stagerFqn(stager)} is not there or not ready: stage it, or give the stager another with 'stagectl stager update'.`,
    )
  const { root, stagerfs } = closures(staging, stager, program, catalogue)
  assertStandsOnSomething(stager, [...root.packages, program])

  return {
    prepare: {
      id: launch,
      root: [...root.packages, program].flatMap(layerOf),
      shims: true,
      user: stager.user,
      egress: stager.egress,
      publish: [],
    },
    start: {
      command: stager.startCommand,
      workingDirectory: program.environment.START_PATH || DEFAULT_START_PATH,
      environment: mergeEnvironments(
        BASE_ENVIRONMENT,
        settings.environment,
        // As the seed has it: paths of the package's dependencies are given as they are, without /stagerfs.
        ...stagerfs.packages.map(({ environment }) => environment),
        ...root.packages.map(({ environment }) => environment),
        program.environment,
        // "Relaunch includes altered dependencies and environment variables."
        staging.work.environment,
        stager.environment,
      ),
      limits: stager.limits,
      stagerfs: stagerfs.packages.flatMap(layerOf),
    },
  }
}

/** Throws `Unresolved` (`no-operating-system`): there is no shell and no user in a root that nobody has furnished. */
function assertStandsOnSomething(stager: StagerSnapshot, root: readonly Package[]): void {
  if (root.some(({ provides }) => provides.some(({ type }) => type === 'os'))) return
  const whose = stager.additive ? 'the package that it is to stage' : 'its package'
  throw new Unresolved(
    'no-operating-system',
    `Stager ${stagerFqn(stager)} would stand on no operating system: let ${whose} depend on one, such as os.linux.`,
  )
}

/**
 * The stager's root and the package's /stagerfs. An additive stager stands on the closure of the package itself, so it
 * finds at / what others find at /stagerfs. The rules are those of whose closure it is: of the package, or of the stager.
 */
function closures(
  staging: Staging,
  stager: StagerSnapshot,
  program: Package,
  { index, rulesOf }: Catalogue,
): { root: Resolution; stagerfs: Resolution } {
  const ofPackage = staging.work.dependencies
  const ofStager = [...stager.dependencies, ...program.dependencies]
  const stagerName = `stager ${stagerFqn(stager)}`
  const staged = { name: staging.packageFqn, provides: staging.work.provides }
  const common = { index, exclude: staging.packageUuid, staged }
  const rules = rulesOf(parseFqn(staging.packageFqn, 'package', '/'), 'staging')
  const stagerfs = resolve({ ...common, subject: staging.packageFqn, dependencies: ofPackage, rules })
  const root = stager.additive
    ? resolve({
        ...common,
        subject: `${staging.packageFqn} with ${stagerName}`,
        dependencies: [...ofPackage, ...ofStager],
        rules,
      })
    : resolve({ ...common, subject: stagerName, dependencies: ofStager, rules: rulesOf(stager, 'staging') })
  return { root, stagerfs }
}

export function currentStager(staging: Staging): StagerSnapshot {
  const stager = staging.stagers[staging.step]
  if (!stager) throw new RangeError(`staging ${staging.uuid} has no stager at step ${staging.step}`)
  return stager
}

export function stagerFqn({ namespace, name }: StagerSnapshot): string {
  return formatFqn({ kind: 'job', namespace, name })
}

/** A package without data (a mere bundle of dependencies) has no layer. */
export function layerOf({ resource, namespace, name }: Package): LayerSource[] {
  if (!resource) return []
  return [
    {
      sha256: resource.sha256,
      removals: resource.removals,
      name: formatFqn({ kind: 'package', namespace, name }),
    },
  ]
}
