import type { Package } from '../package.js'
import { isOperatingSystem } from './problem.js'
import type { Solution } from './search.js'

/**
 * The operating system first; then each package after its dependencies, otherwise in the order in which it was chosen.
 */
export function inLayerOrder({ chosen, choices }: Solution): readonly Package[] {
  const below = new Map<Package | undefined, Package[]>()
  for (const { dependent, taken } of choices) {
    const others = below.get(dependent)
    if (others) others.push(taken)
    else below.set(dependent, [taken])
  }
  const placed = new Set<Package>()
  // Terminates because the choices have no cycle. An explicit stack, because a chain may exceed the call stack.
  for (const start of [...chosen.filter(isOperatingSystem), ...chosen]) {
    const stack = [start]
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const missing = below.get(top)?.find((each) => !placed.has(each))
      if (missing) stack.push(missing)
      else placed.add(stack.pop() ?? top)
    }
  }
  return [...placed]
}
