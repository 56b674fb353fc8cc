import type { Capability } from '../../daemon/documents/capability.js'
import type { Package } from '../../daemon/documents/package.js'
import type { Resolution, ResolutionQuestion } from '../../daemon/documents/resolution.js'
import { ApiProblem } from '../api/api-problem.js'
import type { Session } from '../session/session.js'
import { mistakeInManifest } from './manifest-place.js'
import type { ManifestFile } from './read-manifest.js'

/** In which the stagers of languages mark the dependencies that they have chosen themselves (stagers/README.md). */
const CHOSEN_BY_STAGERS = 'STAGER_ADDED'

export interface Wishes {
  /** Undefined: those that the package has. */
  readonly dependencies?: readonly Capability[] | undefined
  readonly environment?: Readonly<Record<string, string>> | undefined
}

/**
 * What a user wants of the package that is staged. A runtime goes over the other versions of it, given here or by an
 * earlier call. What a stager has chosen before, and the user wants as well, is the word of the user from now on.
 */
export function withRuntime(
  { dependencies, environment }: Wishes,
  runtime: Capability | undefined,
  before: Pick<Package, 'dependencies' | 'environment'> | undefined,
): Wishes {
  const others = (dependencies ?? before?.dependencies ?? []).filter(
    (one) => runtime === undefined || one.type !== 'runtime' || familyOf(one) !== familyOf(runtime),
  )
  const wanted = runtime === undefined ? dependencies : [...others, runtime]
  const given = new Set(
    [...(dependencies ?? []), ...(runtime ? [runtime] : [])].map(({ type, name }) => `${type}.${name}`),
  )
  const marked = (before?.environment[CHOSEN_BY_STAGERS] ?? '').split(' ')
  const unmarked = marked.filter((one) => !given.has(one))
  return {
    dependencies: wanted,
    environment:
      unmarked.length === marked.length ? environment : { ...environment, [CHOSEN_BY_STAGERS]: unmarked.join(' ') },
  }
}

/** Without version and variant: php of php-fpm-8.2. */
function familyOf({ name }: Capability): string {
  return name.split('-')[0] ?? name
}

/**
 * Before anything is packed: throws `ApiProblem` (`unresolved`), which names the versions that are there, for a runtime
 * that is not.
 */
export async function assertRuntime(
  session: Session,
  namespace: string,
  runtime: Capability | undefined,
): Promise<void> {
  if (runtime === undefined) return
  const question: ResolutionQuestion = { namespace, dependencies: [runtime] }
  await session.api.post<Resolution>('/v1/packages/resolution', question, { signal: session.signal })
}

/**
 * Warns of dependencies of the manifest that no package can serve, with their places, before anything is packed. The
 * staging decides: what is being made now may be there when its turn comes.
 *
 * @param wanted the dependencies of the package; undefined for those of the manifest
 */
export async function warnOfDependencies(
  { api, output, signal }: Session,
  { from, namespace, wanted }: DependenciesOfManifest,
): Promise<void> {
  const isWanted = ({ type, name }: Capability) =>
    wanted === undefined || wanted.some((one) => one.type === type && one.name === name)
  const problemOf = async (dependencies: Capability[]) => {
    const question: ResolutionQuestion = { namespace, dependencies }
    try {
      await api.post<Resolution>('/v1/packages/resolution', question, { signal })
      return undefined
    } catch (error) {
      if (error instanceof ApiProblem && (error.kind === 'unresolved' || error.kind === 'refused')) return error
      throw error
    }
  }
  const given = from.manifest.package_dependencies ?? []
  const all = given.filter(isWanted)
  const problem = all.length > 0 ? await problemOf(all) : undefined
  if (!problem) return
  const found = await Promise.all(given.map(async (one) => (isWanted(one) ? await problemOf([one]) : undefined)))
  // Where each of them can be served, all together cannot.
  const list = from.places?.depends_on ? 'depends_on' : 'package_dependencies'
  if (found.every((one) => one === undefined)) await output.warning(mistakeInManifest(from, list, problem).message)
  for (const [index, one] of found.entries())
    if (one) await output.warning(mistakeInManifest(from, `package_dependencies/${index}`, one).message)
}

export interface DependenciesOfManifest {
  readonly from: ManifestFile
  readonly namespace: string
  readonly wanted: readonly Capability[] | undefined
}
