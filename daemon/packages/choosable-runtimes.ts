import { sameCapability } from './capability.js'
import type { Capability } from './metadata.js'
import type { Question } from './resolve.js'
import { Graph, satisfiable } from './resolution/graph.js'
import { withoutVersion } from './resolution/other-versions.js'
import { Problem, type Demand } from './resolution/problem.js'
import { NO_RULES, type DependencyRules } from './resolution/rules.js'

/** A process gets at most 128 KiB in one variable. */
const MAX_BYTES = 32 * 1024

/**
 * The names of the runtimes that can be added to the dependencies, so that a stager can choose among them. `resolve` has
 * a solution for the dependencies with each of these, and for those with any other runtime it has none.
 *
 * In order of preference: first what policy prefers where a runtime is asked for without a version, then by name, the
 * newest version first. What a policy refuses then, but not by the name with the version, comes last.
 */
export function choosableRuntimes(question: Omit<Question, 'staged'>): readonly string[] {
  const { subject, dependencies, index, rules = NO_RULES, exclude } = question
  const runtimes = index.namesOf('runtime').map((name): Capability => ({ type: 'runtime', name }))
  const problem = new Problem(subject, [...dependencies, ...runtimes], index, rules, exclude)
  const satisfied = satisfiableWith(new Graph(problem), dependencies, problem)
  return runtimes
    .map((runtime) => ({ runtime, demand: problem.demand(runtime) }))
    .filter(({ demand }) => satisfied.has(demand))
    .reverse()
    .map(({ runtime: { name }, demand }) => ({ name, rank: rankOf(demand, rules.of(unversioned(name))) }))
    .sort((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank))
    .map(({ name }) => name)
}

/** As the value of a variable. What has no room is left out. */
export function listOfRuntimes(names: readonly string[]): string {
  const fitting: string[] = []
  let bytes = 0
  for (const capability of names.map((name) => `runtime.${name}`)) {
    bytes += Buffer.byteLength(capability) + 1
    if (bytes > MAX_BYTES) break
    fitting.push(capability)
  }
  return fitting.join(' ')
}

/**
 * The demands that are satisfiable together with `dependencies`, on the same operating system: see resolution/lookahead.ts,
 * which has the proof.
 */
function satisfiableWith(graph: Graph, dependencies: readonly Capability[], problem: Problem): ReadonlySet<Demand> {
  const own = new Set(dependencies.map((dependency) => problem.demand(dependency)))
  const systems = graph.operatingSystems.size > 0 ? [...graph.operatingSystems] : [undefined]
  const found = new Set<Demand>()
  const atMost = count(satisfiable(graph, () => false).demands)
  for (const system of systems) {
    const { demands } = satisfiable(graph, (node) => node !== system && graph.operatingSystems.has(node))
    const holds = (demand: Demand, number: number) => !own.has(demand) || demands[number] === 1
    if (!graph.demands.every(holds)) continue
    graph.demands.forEach((demand, number) => demands[number] === 1 && found.add(demand))
    // Where nothing conflicts, the first operating system is enough.
    if (found.size === atMost) break
  }
  return found
}

function count(marks: Uint8Array): number {
  return marks.reduce((sum, mark) => sum + mark, 0)
}

function unversioned(name: string): Capability {
  return { type: 'runtime', name: withoutVersion(name) }
}

/** That of its best candidate. */
function rankOf({ dependency, candidates }: Demand, rules: DependencyRules | undefined): number {
  if (!rules || sameCapability(dependency, unversioned(dependency.name))) return Number.MAX_SAFE_INTEGER
  const ranks = candidates.map((candidate) =>
    rules.objection(candidate) === undefined
      ? Math.min(rules.preference(candidate), Number.MAX_SAFE_INTEGER)
      : Infinity,
  )
  return Math.min(...ranks)
}
