import type { Chance } from './chance.js'
import { cachedLayers, popularityOf, type Fleet } from './fleet.js'

/** Uses that are counted, after as many that make the cache what it stays. */
const COUNTED = 300_000

/** Which part of the layers that the stagings of one node need is in its cache, which drops what was not used for longest. */
export function simulateCache(fleet: Fleet, chance: Chance): number {
  const draw = drawer(popularityOf(fleet), chance)
  const capacity = cachedLayers(fleet)
  if (capacity >= fleet.packages) return 1
  // A Map keeps the order in which its keys were added.
  const cache = new Map<number, true>()
  const use = (layer: number) => {
    const hit = cache.delete(layer)
    cache.set(layer, true)
    if (cache.size > capacity) cache.delete(cache.keys().next().value!)
    return hit
  }
  while (cache.size < capacity) use(draw())
  for (let uses = 0; uses < COUNTED; uses++) use(draw())
  let hits = 0
  for (let uses = 0; uses < COUNTED; uses++) if (use(draw())) hits++
  return hits / COUNTED
}

/** Draws an index, each with its probability. */
function drawer(probabilities: Float64Array, chance: Chance): () => number {
  let total = 0
  const sums = probabilities.map((each) => (total += each))
  return () => {
    const drawn = chance.next() * total
    let [low, high] = [0, sums.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! < drawn) low = middle + 1
      else high = middle
    }
    return low
  }
}
