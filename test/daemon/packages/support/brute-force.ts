import type { Capability } from '../../../../daemon/packages/metadata.js'
import type { Package } from '../../../../daemon/packages/package.js'

/** A dependency, who has it (undefined: the subject), and what serves it. */
interface Served {
  readonly needer: Package | undefined
  readonly by: Package
}

/** Candidates that the rules allow, preferred first. */
export type CandidatesOf = (dependency: Capability) => readonly Package[]

/**
 * The law of daemon/packages/resolve.ts, word by word and without a thought for time: every way to serve every
 * dependency, the preferred ones first, is written out to its end, and only then asked whether it is a solution.
 */
export function bruteForce(dependencies: readonly Capability[], candidatesOf: CandidatesOf): Set<Package> | undefined {
  for (const served of everyWay([open(undefined, dependencies)].flat(), [], candidatesOf))
    if (isSolution(served)) return new Set(served.map(({ by }) => by))
  return undefined
}

interface Open {
  readonly needer: Package | undefined
  readonly dependency: Capability
}

function open(needer: Package | undefined, dependencies: readonly Capability[]): Open[] {
  return dependencies.map((dependency) => ({ needer, dependency }))
}

function* everyWay(
  [first, ...rest]: readonly Open[],
  served: readonly Served[],
  candidatesOf: CandidatesOf,
): Generator<readonly Served[]> {
  if (!first) {
    yield served
    return
  }
  const inSet = new Set(served.map(({ by }) => by))
  const candidates = candidatesOf(first.dependency)
  const ordered = [
    ...candidates.filter((candidate) => inSet.has(candidate)),
    ...candidates.filter((candidate) => !inSet.has(candidate)),
  ]
  for (const by of ordered) {
    const own = inSet.has(by) ? [] : open(by, by.dependencies)
    yield* everyWay([...own, ...rest], [...served, { needer: first.needer, by }], candidatesOf)
  }
}

function isSolution(served: readonly Served[]): boolean {
  const all = new Set(served.map(({ by }) => by))
  const systems = [...all].filter(({ provides }) => provides.some(({ type }) => type === 'os'))
  return systems.length <= 1 && [...all].every((each) => !below(each, served).has(each))
}

/** Everything that a package depends on, directly or not. */
function below(start: Package, served: readonly Served[]): Set<Package> {
  const found = new Set<Package>()
  const queue: Package[] = [start]
  for (let top = queue.pop(); top; top = queue.pop())
    for (const { needer, by } of served)
      if (needer === top && !found.has(by)) {
        found.add(by)
        queue.push(by)
      }
  return found
}
