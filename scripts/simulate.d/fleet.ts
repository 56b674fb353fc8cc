/** A fleet of nodes and what it is asked for. Where a figure comes from is in docs/scaling.md. */
export interface Fleet {
  readonly nodes: number
  /** Stagings that one node runs at once. */
  readonly slots: number
  readonly stagingsPerDay: number
  /** The rate of submissions in the busiest hour, divided by that of the whole day. */
  readonly peak: number
  readonly stagersPerStaging: number
  /** From the admission of a staging to its end. */
  readonly stagingSeconds: number
  /** Standard deviation of `stagingSeconds`, divided by it. */
  readonly stagingSpread: number

  readonly packages: number
  /** Packages that one staging mounts; each is fetched unless its node has it. */
  readonly layersPerStaging: number
  readonly layerMiB: number
  /** The package at rank n is used as often as n to the power of minus this. */
  readonly popularity: number
  readonly cacheGiB: number
  readonly sourceMiB: number
  readonly resultMiB: number

  /** Who is told of a staging that was submitted: each node with a free slot, or one of them. */
  readonly wake: 'all' | 'one'
  readonly heartbeatSeconds: number
  readonly leaseSeconds: number
  /** How often a node with a free slot looks for a staging without having been told. */
  readonly pollSeconds: number
  /** How often each node asks what has changed in the index of packages. */
  readonly feedSeconds: number
  readonly connectionsPerNode: number
  readonly keepDays: number

  readonly database: DatabaseCosts
  readonly limits: Limits
}

/** Processor time of the database, in milliseconds. */
export interface DatabaseCosts {
  readonly submit: number
  readonly admit: number
  /** A look for a staging that finds none. */
  readonly lookInVain: number
  /** All transactions of one launch. */
  readonly launch: number
  /** One of a node, which renews the leases of all its stagings. */
  readonly heartbeat: number
  /** To tell one node that listens. */
  readonly delivery: number
  /** A question to the feed of changes without its rows. */
  readonly feed: number
  readonly feedRow: number
}

/** What one part of the fleet can do before it must be made larger. */
export interface Limits {
  readonly databaseCores: number
  readonly databaseMemoryGiB: number
  readonly connectionMiB: number
  readonly databaseDiskGiB: number
  /** Of one staging with its launches, indices included. */
  readonly stagingRowKiB: number
  readonly storeGiBPerSecond: number
  readonly storeRequestsPerSecond: number
  readonly nodeGiBPerSecond: number
  readonly logKiB: number
  readonly logDiskGiB: number
}

export const FLEET: Fleet = {
  nodes: 1_000,
  slots: 8,
  stagingsPerDay: 10_000_000,
  peak: 2,
  stagersPerStaging: 2,
  stagingSeconds: 30,
  stagingSpread: 1,
  packages: 100_000,
  layersPerStaging: 6,
  layerMiB: 60,
  popularity: 1.1,
  cacheGiB: 200,
  sourceMiB: 5,
  resultMiB: 20,
  wake: 'one',
  heartbeatSeconds: 10,
  leaseSeconds: 30,
  pollSeconds: 30,
  feedSeconds: 5,
  connectionsPerNode: 3,
  keepDays: 7,
  database: {
    submit: 0.34,
    admit: 0.29,
    lookInVain: 0.03,
    launch: 1.5,
    heartbeat: 0.27,
    delivery: 0.013,
    feed: 0.05,
    feedRow: 0.002,
  },
  limits: {
    databaseCores: 16,
    databaseMemoryGiB: 64,
    connectionMiB: 8,
    databaseDiskGiB: 2_000,
    stagingRowKiB: 8,
    storeGiBPerSecond: 5,
    storeRequestsPerSecond: 5_000,
    nodeGiBPerSecond: 1.2,
    logKiB: 20,
    logDiskGiB: 10_000,
  },
}

/** Submissions a second in the busiest hour. */
export function peakRate(fleet: Fleet): number {
  return (fleet.stagingsPerDay / 86_400) * fleet.peak
}

export function cachedLayers(fleet: Fleet): number {
  return Math.floor((fleet.cacheGiB * 1_024) / fleet.layerMiB)
}

/** The probability of each package to be the next one that is used; the most popular first. */
export function popularityOf({ packages, popularity }: Fleet): Float64Array {
  const weights = Float64Array.from({ length: packages }, (_, index) => (index + 1) ** -popularity)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}
