import type { Capability } from '../../../../daemon/packages/metadata.js'
import type { Package } from '../../../../daemon/packages/package.js'

/** The package that satisfies a dependency of `dependent` (undefined: the subject). */
interface Choice {
  readonly dependent: Package | undefined
  readonly by: Package
}

/** Candidates that the rules allow, preferred first. */
export type CandidatesOf = (dependency: Capability) => readonly Package[]

/**
 * The law of daemon/packages/resolve.ts, implemented literally and without regard to performance: enumerates every way
 * to satisfy every dependency, preferred ones first, and checks each complete one for being a solution.
 */
export function bruteForce(dependencies: readonly Capability[], candidatesOf: CandidatesOf): Set<Package> | undefined {
  for (const choices of everyWay([open(undefined, dependencies)].flat(), [], candidatesOf))
    if (isSolution(choices)) return new Set(choices.map(({ by }) => by))
  return undefined
}

interface Open {
  readonly dependent: Package | undefined
  readonly dependency: Capability
}

function open(dependent: Package | undefined, dependencies: readonly Capability[]): Open[] {
  return dependencies.map((dependency) => ({ dependent, dependency }))
}

function* everyWay(
  [first, ...rest]: readonly Open[],
  choices: readonly Choice[],
  candidatesOf: CandidatesOf,
): Generator<readonly Choice[]> {
  if (!first) {
    yield choices
    return
  }
  const inSet = new Set(choices.map(({ by }) => by))
  const candidates = candidatesOf(first.dependency)
  const ordered = [
    ...candidates.filter((candidate) => inSet.has(candidate)),
    ...candidates.filter((candidate) => !inSet.has(candidate)),
  ]
  for (const by of ordered) {
    const own = inSet.has(by) ? [] : open(by, by.dependencies)
    yield* everyWay([...own, ...rest], [...choices, { dependent: first.dependent, by }], candidatesOf)
  }
}

function isSolution(choices: readonly Choice[]): boolean {
  const all = new Set(choices.map(({ by }) => by))
  const systems = [...all].filter(({ provides }) => provides.some(({ type }) => type === 'os'))
  return systems.length <= 1 && [...all].every((each) => !below(each, choices).has(each))
}

/** Everything that a package depends on, directly or not. */
function below(start: Package, choices: readonly Choice[]): Set<Package> {
  const found = new Set<Package>()
  const queue: Package[] = [start]
  for (let top = queue.pop(); top; top = queue.pop())
    for (const { dependent, by } of choices)
      if (dependent === top && !found.has(by)) {
        found.add(by)
        queue.push(by)
      }
  return found
}
