import fc from 'fast-check'
import { sameCapability } from '../../../../daemon/packages/capability.js'
import type { Capability } from '../../../../daemon/packages/metadata.js'
import type { Package } from '../../../../daemon/packages/package.js'
import type { Rules } from '../../../../daemon/packages/resolution/rules.js'

export const CAPABILITIES: readonly Capability[] = [
  { type: 'os', name: 'x' },
  { type: 'os', name: 'y' },
  { type: 'package', name: 'a' },
  { type: 'package', name: 'b' },
  { type: 'package', name: 'c' },
  { type: 'runtime', name: 'd' },
  { type: 'runtime', name: 'd-1' },
]

export const few = (maxLength: number) => fc.uniqueArray(fc.constantFrom(...CAPABILITIES), { maxLength })

export const packages = fc
  .array(fc.record({ provides: few(2), dependencies: few(2) }), { minLength: 1, maxLength: 7 })
  .map((list) =>
    list.map(({ provides, dependencies }, importOrder): Package => ({
      uuid: `uuid-${importOrder}`,
      namespace: '/',
      name: `p${importOrder}`,
      state: 'ready',
      usable: true,
      resource: undefined,
      importOrder,
      createdAt: '',
      updatedAt: '',
      environment: {},
      templates: [],
      provides,
      dependencies,
    })),
  )

/** For each package, whether policy refuses it, and its rank as a default. */
export const policies = fc.array(
  fc.record({
    refused: fc.boolean(),
    rank: fc.constantFrom(Infinity, Infinity, 0, 1),
    for: fc.option(fc.constantFrom(...CAPABILITIES)),
  }),
  { maxLength: 7 },
)

type Policies = typeof policies extends fc.Arbitrary<infer T> ? T : never

export function rulesOf(list: Policies): Rules {
  return {
    of: (dependency) => {
      const applying = (candidate: Package) => {
        const rule = list[candidate.importOrder]
        return rule && (rule.for === null || sameCapability(rule.for, dependency)) ? rule : undefined
      }
      return {
        objection: (candidate) => (applying(candidate)?.refused ? 'is refused' : undefined),
        preference: (candidate) => applying(candidate)?.rank ?? Infinity,
        preferredBy: () => undefined,
        lockedBy: () => undefined,
      }
    },
  }
}
