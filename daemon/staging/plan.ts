import { createHash } from 'node:crypto'
import { Refused, Unresolved } from '../../base/errors.js'
import { formatFqn, parseFqn } from '../../base/fqn.js'
import {
  STAGER_CACHE,
  STAGER_SECRETS,
  type LayerSource,
  type PreparePlan,
  type StartPlan,
} from '../../isolation/launch-plan.js'
import type { Catalogue } from '../packages/catalogue.js'
import { choosableRuntimes, listOfRuntimes } from '../packages/choosable-runtimes.js'
import { startPathOf } from '../packages/environment.js'
import type { Capability } from '../packages/metadata.js'
import type { NodeEnvironment } from '../packages/node-environment.js'
import type { Package } from '../packages/package.js'
import { resolve, type Resolution } from '../packages/resolve.js'
import type { StagerSnapshot, Staging } from '../model/staging.js'
import { digestOfLaunch, type NodeFacts } from './launch-digest.js'
import { hintContext } from './hints/hint-context.js'
import type { HintContext } from './hints/hint-rule.js'
import { stagerEnvironment } from './stager-environment.js'

/** The working directory of a stager whose package has no START_PATH, or an empty one. */
const DEFAULT_START_PATH = '/app'

export interface PlanSettings {
  readonly environment: NodeEnvironment
  readonly node: NodeFacts
}

export interface LaunchPlan {
  readonly prepare: PreparePlan
  readonly start: LaunchStart
  /** For the hint of a failure. */
  readonly hints: HintContext
  /** Names of variables of the package and its dependencies that the stager does not get. */
  readonly withheld: readonly string[]
  /** Digest of all that the launch is given. */
  readonly given: string
}

/** The plan of the start, without the port of the coordinator, which is known only when its listener is open. */
export interface LaunchStart extends Omit<StartPlan, 'coordinatorPort'> {
  readonly stagerfs: readonly LayerSource[]
}

/**
 * The plan of the next launch of a staging.
 *
 * Throws `Unresolved` if a dependency of the stager or of the package has no solution, or if the stager's package is not
 * ready; `Refused` (`policy`) if there is no solution only because of a policy.
 */
export function planLaunch(staging: Staging, launch: string, catalogue: Catalogue, settings: PlanSettings): LaunchPlan {
  const stager = currentStager(staging)
  const program = catalogue.usable.find(({ uuid }) => uuid === stager.packageUuid)
  if (!program?.resource)
    throw new Unresolved(
      'stager-package-missing',
      `The package of stager ${stagerFqn(stager)} does not exist or is not ready: stage it, or give the stager another one with 'stagectl stager update'.`,
    )
  const { root, stagerfs, runtimes } = closures(staging, stager, program, catalogue)
  assertOperatingSystem(stager, [...root.packages, program])
  const rootLayers = [...root.packages, program].flatMap(layerOf)
  const stagerfsLayers = stagerfs.packages.flatMap(layerOf)
  const { variables: environment, withheld } = stagerEnvironment(settings.environment, {
    stagerfs: stagerfs.packages,
    root: root.packages,
    program,
    work: staging.work,
    stager,
  })

  const prepare: PreparePlan = {
    id: launch,
    root: rootLayers,
    shims: true,
    user: stager.user,
    egress: stager.egress,
    publish: [],
  }
  const start: LaunchStart = {
    command: stager.startCommand,
    workingDirectory: startPathOf(program.environment) ?? DEFAULT_START_PATH,
    environment: {
      ...environment,
      STAGER_RUNTIMES: listOfRuntimes(runtimes),
      STAGER_CACHE,
      STAGER_SECRETS,
      STAGER_BASE: digestOf(rootLayers, stagerfsLayers),
    },
    limits: stager.limits,
    stagerfs: stagerfsLayers,
    keepable: staging.keepFailedMs !== undefined,
    cache: { packageUuid: staging.packageUuid, stagerUuid: stager.uuid },
  }
  return {
    prepare,
    start,
    given: digestOfLaunch({ prepare, start }, staging.work, settings.node),
    withheld,
    hints: hintContext({
      program: { kind: 'stager', fqn: stagerFqn(stager) },
      egress: stager.egress,
      published: [],
      environment,
      node: settings.environment,
      limits: stager.limits,
      runtimes,
    }),
  }
}

/** Of all that the programs of a launch consist of, so that a stager knows whether what it has kept still fits. */
function digestOf(...layers: readonly (readonly LayerSource[])[]): string {
  const contents = layers.map((some) => some.map(({ sha256, removals }) => [sha256, removals]))
  return createHash('sha256').update(JSON.stringify(contents)).digest('hex')
}

/** Throws `Unresolved` (`no-operating-system`): a root without an operating system has no shell and no users. */
function assertOperatingSystem(stager: StagerSnapshot, root: readonly Package[]): void {
  if (root.some(({ provides }) => provides.some(({ type }) => type === 'os'))) return
  const whose = stager.additive ? 'the package that it stages' : 'its package'
  throw new Unresolved(
    'no-operating-system',
    `Stager ${stagerFqn(stager)} has no operating system in its root: let ${whose} depend on one, such as os.linux.`,
  )
}

interface Closures {
  readonly root: Resolution
  readonly stagerfs: Resolution
  /** Those that can be added to the dependencies that the package has. */
  readonly runtimes: readonly string[]
}

/**
 * The closures of a launch. A package without dependencies has those that its stager expects it to get, if they have a
 * solution: whether it needs them is not known yet.
 */
function closures(staging: Staging, stager: StagerSnapshot, program: Package, catalogue: Catalogue): Closures {
  const { dependencies } = staging.work
  const { expects = [] } = stager
  if (dependencies.length > 0 || expects.length === 0)
    return closuresWith(dependencies, staging, stager, program, catalogue)
  try {
    return closuresWith(expects, staging, stager, program, catalogue)
  } catch (error) {
    if (!(error instanceof Unresolved || error instanceof Refused)) throw error
    return closuresWith(dependencies, staging, stager, program, catalogue)
  }
}

/**
 * The closures of the stager's root and of the package's /stagerfs. The root of an additive stager is based on the
 * closure of the package: at / it has what other stagers have at /stagerfs. The policy rules of a closure are those of
 * its subject, the package or the stager.
 */
function closuresWith(
  ofPackage: readonly Capability[],
  staging: Staging,
  stager: StagerSnapshot,
  program: Package,
  { index, rulesOf }: Catalogue,
): Closures {
  const ofStager = [...stager.dependencies, ...program.dependencies]
  const stagerName = `stager ${stagerFqn(stager)}`
  const staged = { name: staging.packageFqn, provides: staging.work.provides }
  const common = { index, exclude: staging.packageUuid, staged }
  const rules = rulesOf(parseFqn(staging.packageFqn, 'package', '/'), 'staging')
  const asPackage = { ...common, subject: staging.packageFqn, rules }
  const stagerfs = resolve({ ...asPackage, dependencies: ofPackage })
  const added = stager.additive ? ofStager : []
  const root = stager.additive
    ? { ...asPackage, subject: `${staging.packageFqn} with ${stagerName}`, dependencies: [...ofPackage, ...added] }
    : { ...common, subject: stagerName, dependencies: ofStager, rules: rulesOf(stager, 'staging') }
  const choice = { ...asPackage, dependencies: [...staging.work.dependencies, ...added] }
  return { root: resolve(root), stagerfs, runtimes: choosableRuntimes(choice) }
}

export function currentStager(staging: Staging): StagerSnapshot {
  const stager = staging.stagers[staging.step]
  if (!stager) throw new RangeError(`staging ${staging.uuid} has no stager at step ${staging.step}`)
  return stager
}

export function stagerFqn(stager: StagerSnapshot): string {
  return formatFqn('job', stager)
}

/** A package without data, which only has dependencies, has no layer. */
export function layerOf(found: Package): LayerSource[] {
  if (!found.resource) return []
  const { sha256, removals } = found.resource
  return [{ sha256, removals, name: formatFqn('package', found) }]
}
