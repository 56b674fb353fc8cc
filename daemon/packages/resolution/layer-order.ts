import type { Package } from '../package.js'
import { isOperatingSystem } from './problem.js'
import type { Solution } from './search.js'

/** The operating system first; then each package after its dependencies, otherwise in the order of choice. */
export function inLayerOrder({ chosen, choices }: Solution): readonly Package[] {
  const below = new Map<Package | undefined, Package[]>()
  for (const { needer, taken } of choices) {
    const others = below.get(needer)
    if (others) others.push(taken)
    else below.set(needer, [taken])
  }
  const placed = new Set<Package>()
  // Ends, because there is no circle among the choices. A stack of our own: a chain may be longer than that of Node.
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
