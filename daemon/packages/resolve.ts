import { Refused, Unresolved } from '../../base/errors.js'
import { formatCapability } from './capability.js'
import type { Capability } from './metadata.js'
import type { Package } from './package.js'
import { describeDecisions, type Decision } from './resolution/decision.js'
import { explainFailure } from './resolution/explain-failure.js'
import { explainSolution } from './resolution/explain.js'
import { Graph } from './resolution/graph.js'
import { inLayerOrder } from './resolution/layer-order.js'
import { Lookahead } from './resolution/lookahead.js'
import type { PackageIndex } from './resolution/package-index.js'
import { Problem, type StagedPackage } from './resolution/problem.js'
import { NO_RULES, type Rules } from './resolution/rules.js'
import { Search, type Solution } from './resolution/search.js'

/**
 * From dependencies to a complete set of concrete packages.
 *
 * LAW. Dependencies are served one after the other, depth first: those of the subject in their order, and those of a
 * package as soon as it is taken. A solution serves every dependency by a package that provides it and that the rules
 * allow for it (allowed, not retired, the locked one where one is locked), has at most one operating system, and no
 * package in it depends on itself. Among the solutions the answer is the first, where for each dependency in turn
 *   1. what is in the set already comes before what is not: one Ruby that serves both is better than two;
 *   2. then a default of policy before what is none, the nearest realm's first;
 *   3. then what was imported first.
 * A lock comes before all three, because it leaves no other candidate. So a default does not bring in a second package
 * where the set has one that serves, and a choice is given up only when no solution has it.
 *
 * The same packages, the same rules and the same dependencies in the same order always give the same answer. The work is
 * bounded by the size of what the dependencies could come to, never exponential in it; see resolution/lookahead.ts.
 */
export interface Question {
  /** Whose dependencies these are, for the explanation. */
  readonly subject: string
  readonly dependencies: readonly Capability[]
  readonly index: PackageIndex
  /** Everything resolves when left out. */
  readonly rules?: Rules
  /** UUID of a package that must not serve: the one that is being staged. */
  readonly exclude?: string
  /** That package, where the index has it not because it is not ready: an explanation must not deny it. */
  readonly staged?: StagedPackage
}

export interface Resolution {
  /** Every package of the closure: the operating system first, each after everything that it depends on. */
  readonly packages: readonly Package[]
  /** Every dependency with every candidate, and why each was taken or not. Worked out when asked. */
  readonly explain: () => readonly Decision[]
}

/**
 * Throws `Unresolved` (`unresolved`), or `Refused` (`policy`) where there would be a solution but for the rules. The
 * message is the shortest explanation, in the words of `explain`.
 */
export function resolve(question: Question): Resolution {
  const { subject, dependencies, index, rules = NO_RULES, exclude, staged } = question
  const problem = new Problem(subject, dependencies, index, rules, exclude, staged)
  const solution = new Search(problem).run() ?? searchWithLookahead(problem)
  if (!solution) throw failure(problem)
  return { packages: inLayerOrder(solution), explain: () => explainSolution(problem, solution) }
}

function searchWithLookahead(problem: Problem): Solution | undefined {
  return new Search(problem, new Lookahead(new Graph(problem))).run()
}

/** In an error, which is stored and logged. */
const MOST_CANDIDATES = 20

/** What would be missing without any rules is told without them: it is the reason that no change of policy removes. */
function failure(problem: Problem): Unresolved | Refused {
  const { subject, dependencies, index, excluded, staged } = problem
  const wanted = dependencies.map(formatCapability).join(', ')
  const free = new Problem(subject, dependencies, index, NO_RULES, excluded, staged)
  const freeGraph = new Graph(free)
  if (!new Lookahead(freeGraph).begin())
    return new Unresolved(
      'unresolved',
      [`${wanted}, which ${subject} needs, cannot be resolved:`, ...explained(free, freeGraph)].join('\n'),
    )
  return new Refused(
    'policy',
    [`Policy leaves no way to resolve ${wanted} for ${subject}:`, ...explained(problem, new Graph(problem))].join('\n'),
  )
}

function explained(problem: Problem, graph: Graph): string[] {
  return describeDecisions(explainFailure(problem, graph), MOST_CANDIDATES).map((line) => `  ${line}`)
}
