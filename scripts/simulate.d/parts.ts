import { peakRate, type Fleet } from './fleet.js'
import type { Figures } from './figures.js'

/** One part of the fleet that can be full. */
export interface Part {
  readonly name: string
  readonly unit: string
  /** What the busiest hour takes of it. */
  readonly needed: number
  readonly available: number
  /** What is done when it is full. */
  readonly remedy: string
}

const MIB_IN_GIB = 1_024
const KIB_IN_GIB = 1_024 ** 2

/** All parts; the one that gives out first is first. */
export function partsOf(fleet: Fleet, figures: Figures): readonly Part[] {
  const rate = peakRate(fleet)
  const missed = fleet.layersPerStaging * (1 - figures.cacheHits)
  const readGiB = (rate * (missed * fleet.layerMiB + fleet.sourceMiB)) / MIB_IN_GIB
  const writtenGiB = (rate * (fleet.sourceMiB + fleet.resultMiB)) / MIB_IN_GIB
  const { limits } = fleet
  const parts: readonly Part[] = [
    {
      name: 'slots',
      unit: 'stagings at once',
      needed: figures.busy * fleet.nodes * fleet.slots,
      available: fleet.nodes * fleet.slots,
      remedy: 'more nodes: nothing is shared between them but what follows',
    },
    {
      name: 'processors of the database',
      unit: 'cores',
      needed: figures.databaseCores,
      available: limits.databaseCores,
      remedy: 'a larger server; then a database for each group of realms, with a copy of what all of them use',
    },
    {
      name: 'connections of the database',
      unit: 'GiB of memory',
      needed: (fleet.nodes * fleet.connectionsPerNode * limits.connectionMiB) / MIB_IN_GIB,
      available: limits.databaseMemoryGiB / 2,
      remedy: 'a pooler of transactions for all but the one connection that listens',
    },
    {
      name: 'rows of the database',
      unit: 'GiB of disk',
      needed: (fleet.stagingsPerDay * fleet.keepDays * limits.stagingRowKiB) / KIB_IN_GIB,
      available: limits.databaseDiskGiB,
      remedy: 'stagings are kept for fewer days; tables are partitioned by day, and days are dropped',
    },
    {
      name: 'transfers of the object store',
      unit: 'GiB a second',
      needed: readGiB + writtenGiB,
      available: limits.storeGiBPerSecond,
      remedy: 'larger caches, nodes that fetch from each other, and stagings that go where their layers are',
    },
    {
      name: 'requests of the object store',
      unit: 'requests a second',
      // Reads and writes; a result of more than 8 MiB is written in parts.
      needed: rate * (missed + 1 + 1 + 2 + Math.ceil(fleet.resultMiB / 8)),
      available: limits.storeRequestsPerSecond,
      remedy: 'names are spread by their digests already; a store of more machines',
    },
    {
      name: 'network of a node',
      unit: 'GiB a second',
      needed: (readGiB + writtenGiB) / fleet.nodes,
      available: limits.nodeGiBPerSecond,
      remedy: 'fewer slots for each node',
    },
    {
      name: 'logs',
      unit: 'GiB of disk',
      needed: (fleet.stagingsPerDay * fleet.keepDays * limits.logKiB) / KIB_IN_GIB,
      available: limits.logDiskGiB,
      remedy: 'logs are kept for fewer days than stagings, and compressed when they end',
    },
  ]
  return parts.toSorted((a, b) => b.needed / b.available - a.needed / a.available)
}
