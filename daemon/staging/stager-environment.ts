import { mergeEnvironments } from '../packages/environment.js'
import { containerEnvironment, type NodeEnvironment } from '../packages/node-environment.js'
import type { Package } from '../packages/package.js'
import { isSteering, OF_STAGERFS } from '../packages/steering-variables.js'
import type { StagerSnapshot, WorkingCopy } from '../model/staging.js'

type Environment = Readonly<Record<string, string>>

/** What the environment of a stager comes from, lowest first. */
export interface EnvironmentSources {
  /** The closure of the package, at /stagerfs. */
  readonly stagerfs: readonly Package[]
  /** The closure of the stager; that of both where it is additive. */
  readonly root: readonly Package[]
  readonly program: Package
  readonly work: Pick<WorkingCopy, 'environment' | 'ownVariables'>
  readonly stager: StagerSnapshot
}

export interface StagerEnvironment {
  readonly variables: Environment
  /** Names of variables of the package and its dependencies that it does not get. */
  readonly withheld: readonly string[]
}

/**
 * The environment of a stager: that of the package and of all packages around it, without what would let one stager run
 * code inside the next. Variables that steer loaders and interpreters come only from the stager's own root and definition,
 * and from what the same stager has set before its relaunch. A PATH that another stager has left, or a user, is searched
 * after the stager's own: the programs of its root go first.
 *
 * What steers the programs of the dependencies, as the dependencies themselves set it, has another name, `STAGERFS_ENV_…`: it
 * is for programs that run in /stagerfs, which consists of these dependencies. The stager's definition overrides it.
 */
export function stagerEnvironment(node: NodeEnvironment, sources: EnvironmentSources): StagerEnvironment {
  const { stagerfs, root, program, work, stager } = sources
  if (stager.cleanEnvironment === true) {
    const ofPackage = new Set(stagerfs.map(({ uuid }) => uuid))
    const own = root.filter(({ uuid }) => !ofPackage.has(uuid))
    const layers = [...own, program, stager].map(({ environment }) => environment)
    return { variables: containerEnvironment(node, stager, ...layers), withheld: [] }
  }
  const owned = new Set(work.ownVariables)
  const { PATH, ...foreign } = pick(work.environment, (name) => !owned.has(name))
  const variables = containerEnvironment(
    node,
    stager,
    ...stagerfs.map(({ environment }) => harmless(environment)),
    ...[...root, program].map(({ environment }) => environment),
    harmless(foreign),
    PATH === undefined ? {} : { PATH: `$PATH${elementsOf(PATH)}` },
    pick(work.environment, (name) => owned.has(name)),
    stager.environment,
    forProgramsOf(stagerfs, (name) => owned.has(name) || Object.hasOwn(stager.environment, name)),
  )
  const given = [...stagerfs.map(({ environment }) => environment), foreign].flatMap(Object.keys)
  const withheld = [...new Set(given)].filter((name) => isSteering(name) && !Object.hasOwn(variables, name))
  return { variables, withheld: withheld.sort() }
}

function forProgramsOf(stagerfs: readonly Package[], isOverridden: (name: string) => boolean): Environment {
  const merged = mergeEnvironments(...stagerfs.map(({ environment }) => environment))
  return Object.fromEntries(
    Object.entries(merged)
      .filter(([name]) => isSteering(name) && !name.startsWith(OF_STAGERFS) && !isOverridden(name))
      .map(([name, value]) => [`${OF_STAGERFS}${name}`, value]),
  )
}

function harmless(environment: Environment): Environment {
  return pick(environment, (name) => !isSteering(name))
}

function pick(environment: Environment, isWanted: (name: string) => boolean): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => isWanted(name)))
}

/** To be appended to another search path. An empty element would mean the current directory. */
function elementsOf(path: string): string {
  return path
    .split(':')
    .filter((element) => !['', '$PATH', '${PATH}'].includes(element))
    .map((element) => `:${element}`)
    .join('')
}
