import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { subjectRules } from '../../daemon/packages/policy/subject-rules.js'
import { parsePolicy } from '../../daemon/packages/policy/parse-policy.js'
import { PackageIndex } from '../../daemon/packages/resolution/package-index.js'
import { resolve, type Question } from '../../daemon/packages/resolve.js'
import { conflictingTopOf, topOf, universeOf } from './resolve-universe.js'
import { median } from './row.js'

/** Measurements of one fresh process. Times are in milliseconds, and medians of repeated operations. */
export interface ResolveTimes {
  readonly packages: number
  readonly closure: number
  /** Time to build the index and resolve once. */
  readonly cold: number
  readonly loaded: number
  readonly underPolicy: number
  readonly conflict: number
  /** Time to update the index after a change of one package. */
  readonly update: number
  readonly packagesMegabytes: number
  readonly indexMegabytes: number
}

const SIZE = 100_000
const TIMES = 100
const POLICY = `
  job::/ { { package.allow "package::/bench" } { package.retire "package::/bench/old" } }
  job::/bench { if (dependency fqnMatch package.f7) { package.default "package::/bench::f7-c1-2" } }`

function measure(): ResolveTimes {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const megabytes = () => {
    collect()
    return process.memoryUsage().heapUsed / 2 ** 20
  }
  const empty = megabytes()
  const packages = universeOf(SIZE)
  const withPackages = megabytes()

  let began = performance.now()
  const index = new PackageIndex(packages)
  const closure = resolve({ subject: 'bench', dependencies: topOf(0), index }).packages.length
  const cold = performance.now() - began
  const withIndex = megabytes()

  const family = (turn: number) => 1 + (turn % 100)
  const timed = (question: (turn: number) => Omit<Question, 'subject' | 'index'>) =>
    median(
      Array.from({ length: TIMES }, (_each, turn) => {
        const start = performance.now()
        resolve({ subject: 'bench', index, ...question(turn) })
        return performance.now() - start
      }),
    )
  const loaded = timed((turn) => ({ dependencies: topOf(family(turn)) }))
  const conflict = timed((turn) => ({ dependencies: conflictingTopOf(family(turn)) }))
  const policies = [{ fqn: 'policydoc::/::bench', policy: parsePolicy(POLICY) }]
  const underPolicy = timed((turn) => ({
    dependencies: topOf(family(turn)),
    rules: subjectRules(policies, { namespace: '/bench', name: 'app' }, 'staging'),
  }))
  const changed = packages.map((each, place) => (place === 50_000 ? { ...each } : each))
  began = performance.now()
  index.follow(changed)
  const update = performance.now() - began
  return {
    packages: packages.length,
    closure,
    cold,
    loaded,
    underPolicy,
    conflict,
    update,
    packagesMegabytes: withPackages - empty,
    indexMegabytes: withIndex - withPackages,
  }
}

console.log(JSON.stringify(measure()))
