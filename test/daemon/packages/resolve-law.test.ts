import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Refused, Unresolved } from '../../../base/errors.js'
import type { Capability } from '../../../daemon/packages/metadata.js'
import type { Package } from '../../../daemon/packages/package.js'
import { PackageIndex } from '../../../daemon/packages/resolution/package-index.js'
import type { Rules } from '../../../daemon/packages/resolution/rules.js'
import { resolve } from '../../../daemon/packages/resolve.js'
import { bruteForce } from './support/brute-force.js'
import { CAPABILITIES, few, packages, policies, rulesOf } from './support/random-catalogue.js'

function candidatesOf(list: readonly Package[], rules: Rules) {
  return (dependency: Capability): Package[] => {
    const of = rules.of(dependency)
    return list
      .filter((each) => each.provides.includes(dependency) && of?.objection(each) === undefined)
      .sort((a, b) => {
        const [first, second] = [of?.preference(a) ?? 0, of?.preference(b) ?? 0]
        return first === second ? a.importOrder - b.importOrder : first < second ? -1 : 1
      })
  }
}

describe('the law of resolution, compared with a brute-force search', () => {
  it('finds the first solution, and fails only if none exists', () => {
    let solved = 0
    let refused = 0
    fc.assert(
      fc.property(packages, few(3), policies, (list, dependencies, policy) => {
        const rules = rulesOf(policy)
        const expected = bruteForce(dependencies, candidatesOf(list, rules))
        try {
          const found = resolve({ subject: 'app', dependencies, index: new PackageIndex(list), rules })
          expect(new Set(found.packages)).toEqual(expected)
          assertLayerOrder(found.packages)
          found.explain()
          solved++
        } catch (error) {
          if (!(error instanceof Unresolved) && !(error instanceof Refused)) throw error
          expect(expected, error.message).toBeUndefined()
          const withoutPolicy = bruteForce(dependencies, candidatesOf(list, { of: () => undefined }))
          expect(error).toBeInstanceOf(withoutPolicy ? Refused : Unresolved)
          // The message has at least one reason, and no reason twice.
          const reasons = error.message.split('\n').slice(1)
          expect(reasons.length).toBeGreaterThan(0)
          const demands = reasons.filter((line) => line.endsWith('needs:'))
          expect(new Set(demands.map((line) => line.split(',')[0])).size).toBe(demands.length)
          refused++
        }
      }),
      { numRuns: 3_000 },
    )
    // Guards against generated cases that are all trivial.
    expect(Math.min(solved, refused)).toBeGreaterThan(300)
  })
})

/** Each package comes after packages that provide its dependencies. */
function assertLayerOrder(closure: readonly Package[]): void {
  closure.forEach((each, place) => {
    for (const need of each.dependencies)
      expect(closure.slice(0, place).some(({ provides }) => provides.includes(need))).toBe(true)
  })
}

describe('PackageIndex.follow', () => {
  it('gives the same index as building a new one', () => {
    const universe = fc.tuple(packages, fc.array(fc.tuple(fc.nat(6), fc.constantFrom('gone', 'changed', 'same'))))
    fc.assert(
      fc.property(universe, ([list, changes]) => {
        const fates = new Map(changes)
        const after = list.flatMap((each) => {
          const fate = fates.get(each.importOrder)
          if (fate === 'gone') return []
          return fate === 'changed' ? [{ ...each, provides: [...each.provides].reverse().slice(0, 1) }] : [each]
        })
        for (const [from, to] of [
          [list, after],
          [after, list],
        ] as const) {
          const followed = new PackageIndex(from).follow(to)
          for (const each of CAPABILITIES)
            expect(followed.providersOf(each)).toEqual(new PackageIndex(to).providersOf(each))
        }
      }),
    )
  })
})
