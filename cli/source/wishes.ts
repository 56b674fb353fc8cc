import type { Capability } from '../../daemon/documents/capability.js'
import type { Package } from '../../daemon/documents/package.js'
import type { Resolution, ResolutionQuestion } from '../../daemon/documents/resolution.js'
import type { Session } from '../session/session.js'

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
