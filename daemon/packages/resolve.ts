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
 * What to resolve: dependencies, for which `resolve` finds a complete set of concrete packages.
 *
 * LAW. Dependencies are resolved one after the other, depth first: those of the subject in their order, and those of a
 * package as soon as it is taken. In a solution, every dependency is satisfied by a package that provides it and that
 * the rules permit for it (allowed, not retired, and matching every lock); there is at most one operating system; no
 * package depends on itself. The answer is the first solution, where for each dependency in turn
 *   1. packages that are already chosen come before others: one Ruby that satisfies both is better than two;
 *   2. then a policy default before other packages, the nearest realm first;
 *   3. then the package that was imported first.
 * A lock comes before all three, because it leaves no other candidate. So a default does not add a second package where
 * a chosen one satisfies the dependency, and a choice is rejected only when no solution contains it.
 *
 * The same packages, rules and dependencies in the same order always give the same answer. The effort is polynomial in
 * the number of packages that the dependencies can reach; see resolution/lookahead.ts.
 */
export interface Question {
  /** The owner of the dependencies, for the explanation. */
  readonly subject: string
  readonly dependencies: readonly Capability[]
  readonly index: PackageIndex
  /** No rules when omitted. */
  readonly rules?: Rules
  /** UUID of the package that is being staged, which must not be chosen. */
  readonly exclude?: string
  /** The package that is being staged, for explanations: the index does not have it while it is not ready. */
  readonly staged?: StagedPackage
}

export interface Resolution {
  /** Every package of the closure: the operating system first, each package after its dependencies. */
  readonly packages: readonly Package[]
  /** Every dependency with every candidate, and why it was taken or not. Computed on demand. */
  readonly explain: () => readonly Decision[]
}

/**
 * Throws `Unresolved` (`unresolved`), or `Refused` (`policy`) if only the rules prevent a solution. The message is the
 * shortest explanation, in the format of `explain`.
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

/** Per dependency in an error message, because it is stored and logged. */
const MAX_CANDIDATES = 20

/** If there is no solution even without rules, the explanation ignores them: no change of policy would help. */
function failure(problem: Problem): Unresolved | Refused {
  const { subject, dependencies, index, rules, excluded, staged } = problem
  const wanted = dependencies.map(formatCapability).join(', ')
  const unrestricted = new Problem(subject, dependencies, index, NO_RULES, excluded, staged)
  const unrestrictedGraph = new Graph(unrestricted)
  if (!new Lookahead(unrestrictedGraph).begin())
    return new Unresolved(
      'unresolved',
      [
        `${wanted}, which ${subject} needs, cannot be resolved:`,
        ...explained(unrestricted, unrestrictedGraph, rules),
      ].join('\n'),
    )
  return new Refused(
    'policy',
    [
      `Policy leaves no way to resolve ${wanted} for ${subject}:`,
      ...explained(problem, new Graph(problem), rules),
    ].join('\n'),
  )
}

/** @param rules of the subject: what they refuse is not offered instead */
function explained(problem: Problem, graph: Graph, rules: Rules): string[] {
  const isRefused = (dependency: Capability) => {
    const objecting = rules.of(dependency)
    return problem.index.providersOf(dependency).every((one) => objecting?.objection(one) !== undefined)
  }
  const decisions = explainFailure(problem, graph).map(({ otherVersions = [], ...decision }) => ({
    ...decision,
    otherVersions: otherVersions.filter((name) => !isRefused({ type: decision.dependency.type, name })),
  }))
  return describeDecisions(decisions, MAX_CANDIDATES).map((line) => `  ${line}`)
}
