import { cachedLayers, peakRate, popularityOf, type Fleet } from './fleet.js'
import type { Figures } from './figures.js'

/** The figures as formulas, for a fleet whose slots are enough. Throws a `RangeError` if they are not. */
export function modelOf(fleet: Fleet): Figures {
  const rate = peakRate(fleet)
  const busy = (rate * fleet.stagingSeconds) / (fleet.nodes * fleet.slots)
  if (busy >= 1)
    throw new RangeError(
      `The stagings need ${busy.toFixed(2)} times the slots that there are; ${Math.ceil(fleet.nodes * busy * 1.1)} nodes would do.`,
    )
  const fullNodes = erlangB(fleet.slots, offeredTo(fleet.slots, busy * fleet.slots))
  const looksInVain = looksInVainOf(fleet, rate, fullNodes)
  return {
    busy,
    fullNodes,
    looksInVain,
    databaseCores: databaseCoresOf(fleet, rate, looksInVain),
    cacheHits: cacheHitsOf(fleet),
    takeOverSeconds: fleet.leaseSeconds - fleet.heartbeatSeconds / 2 + fleet.heartbeatSeconds / fleet.nodes,
  }
}

/**
 * The probability that all of the servers are busy, where customers arrive by chance and do not wait (Erlang's formula B).
 * How long a service takes does not matter beyond its mean.
 *
 * @param offered mean number of arrivals while one service lasts
 */
export function erlangB(servers: number, offered: number): number {
  let blocked = 1
  for (let server = 1; server <= servers; server++) blocked = (offered * blocked) / (server + offered * blocked)
  return blocked
}

/**
 * A node takes stagings only while it has a free slot, so those that go to nodes are more for each node that is not full:
 * as many as give `carried` busy slots.
 */
function offeredTo(slots: number, carried: number): number {
  return bisect(carried, 1_000 * slots, (offered) => offered * (1 - erlangB(slots, offered)) - carried)
}

/**
 * Each staging is found by one look of those who are told of it. A node that looks because it was full until now, or because
 * of the time, finds one only by chance.
 */
function looksInVainOf(fleet: Fleet, rate: number, full: number): number {
  const free = fleet.nodes * (1 - full)
  const untold = free / fleet.pollSeconds + (fleet.nodes * full * fleet.slots) / fleet.stagingSeconds
  return untold + (fleet.wake === 'all' ? rate * (free - 1) : 0)
}

function databaseCoresOf({ database, ...fleet }: Fleet, rate: number, looksInVain: number): number {
  const eachStaging = database.submit + database.admit + fleet.stagersPerStaging * database.launch
  const told = fleet.wake === 'all' ? fleet.nodes : 1
  const feed = (fleet.nodes / fleet.feedSeconds) * database.feed + fleet.nodes * rate * database.feedRow
  return (
    (rate * (eachStaging + told * database.delivery) +
      looksInVain * database.lookInVain +
      (fleet.nodes / fleet.heartbeatSeconds) * database.heartbeat +
      feed) /
    1_000
  )
}

/**
 * A cache that drops what was not used for longest has what was used within a certain time, which is the same for all
 * packages (Che's approximation). The time is counted in uses: as many as fill the cache.
 */
function cacheHitsOf(fleet: Fleet): number {
  const popularity = popularityOf(fleet)
  const capacity = cachedLayers(fleet)
  if (capacity >= fleet.packages) return 1
  const cached = (uses: number) => popularity.reduce((sum, each) => sum - Math.expm1(-each * uses), 0)
  const uses = bisect(capacity, 1e12, (tried) => cached(tried) - capacity)
  return popularity.reduce((sum, each) => sum - each * Math.expm1(-each * uses), 0)
}

/** Where an increasing function is zero. */
function bisect(from: number, to: number, of: (value: number) => number): number {
  let [low, high] = [from, to]
  for (let step = 0; step < 100; step++) {
    const middle = (low + high) / 2
    if (of(middle) < 0) low = middle
    else high = middle
  }
  return high
}
