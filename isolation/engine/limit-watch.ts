import { setTimeout as delay } from 'node:timers/promises'
import { Conflict, Fault } from '../../base/errors.js'
import { Mutex } from '../../base/mutex.js'
import type { LimitEnding } from '../isolation.js'
import type { Limits } from '../launch-plan.js'
import { FileWatcher } from './file-watcher.js'
import type { CgroupCounts } from './cgroup-files.js'
import { GrowthGauge } from './disk-use.js'

/** Observes a container from outside. */
export interface LimitProbe {
  /** Undefined when they are gone, with the container. */
  counts(): CgroupCounts | undefined
  /**
   * Whether the Engine noticed that a process was killed for want of memory; slower than the counters. False for a
   * container that was removed; rejects where the Engine does not answer.
   */
  wasOutOfMemory(): Promise<boolean>
  /** Files that the kernel changes when a limit is hit. Not every kernel has them. */
  readonly eventFiles: readonly string[]
  /** Bytes in use on the filesystems that it writes to, whoever uses them. */
  filesystemUse(): Promise<number>
  /** The same, taken before its program began. */
  readonly filesystemUseBefore: number
  /**
   * Bytes that the container itself uses. Expensive: it freezes the container.
   *
   * @param took gets the milliseconds for which the container was frozen, also if this rejects
   */
  ownUse(took: (frozenMs: number) => void): Promise<number>
}

/** The shortest interval between two checks. In this time a disk can write some hundred megabytes. */
const SHORTEST_INTERVAL_MS = 100

/**
 * The longest one. The kernel tells of a hit limit of memory or processes by `eventFiles` at once, but not with control groups
 * of version 1.
 */
const LONGEST_INTERVAL_MS = 500

/** No disk is faster. In bytes per millisecond: 4 GB/s. */
const FASTEST_DISK = 4e6

/** The interval after a failed check. */
const RETRY_MS = 1_000

/** How many checks may fail in a row before the container is ended. */
const MAX_FAILURES = 3

/** The largest share of its time for which measurements may freeze the container. */
const FROZEN_SHARE = 1 / 4

/**
 * Checks whether limits were hit: the kernel refuses or kills, but does not notify the daemon.
 *
 * INVARIANTS
 * - A limit that may have been exceeded is never passed over. When the checks fail repeatedly, the container is ended with
 *   `limits-unknown`; if it only cannot be frozen, the upper bound of its disk use counts.
 * - A measurement that fails does not matter as long as the upper bound is within the limit.
 * - Measurements take at most `FROZEN_SHARE` of the container's time, however slow they are and whoever writes to the disk.
 */
export class LimitWatch {
  readonly #disk: GrowthGauge
  readonly #mutex = new Mutex()
  #failures = 0
  /** By the clock of `performance.now`. */
  #nextMeasurement = -Infinity

  constructor(
    private readonly probe: LimitProbe,
    private readonly limits: Limits,
    private readonly retryMs = RETRY_MS,
  ) {
    this.#disk = new GrowthGauge(limits.diskBytes, probe.filesystemUseBefore)
  }

  /** Checks until a limit was hit or `signal` aborts. Never rejects. */
  async untilHit(signal: AbortSignal): Promise<LimitEnding | undefined> {
    const watcher = new FileWatcher(this.probe.eventFiles, signal)
    while (!signal.aborted) {
      const ending = await this.look()
      if (ending) return ending
      await watcher.changeOrTimeout(this.#failures > 0 ? this.retryMs : this.intervalMs)
    }
    return undefined
  }

  /** Milliseconds until the next check: the launch cannot come near its limit before it. */
  get intervalMs(): number {
    const untilNear = this.#disk.headroom / FASTEST_DISK
    return Math.min(Math.max(untilNear, SHORTEST_INTERVAL_MS), LONGEST_INTERVAL_MS)
  }

  /** One check. Never rejects: a failure counts. */
  async look(): Promise<LimitEnding | undefined> {
    try {
      const ending = await this.#check(false)
      this.#failures = 0
      return ending
    } catch (error) {
      this.#failures += 1
      return this.#failures < MAX_FAILURES ? undefined : limitsUnknown(error)
    }
  }

  /**
   * What holds at this moment, for a decision that cannot be taken back. Repeats a check that fails; the checks of `look`
   * meanwhile tell nothing about that. Never rejects.
   */
  async decide(): Promise<LimitEnding | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#check(true)
      } catch (error) {
        if (attempt >= MAX_FAILURES) return limitsUnknown(error)
      }
      await delay(this.retryMs)
    }
  }

  #check(isDecision: boolean): Promise<LimitEnding | undefined> {
    return this.#mutex.run(async () => {
      try {
        return (await this.#hitByCounts(isDecision)) ?? (await this.#lookAtDisk(isDecision))
      } catch (error) {
        // It is being ended for another cause.
        if (error instanceof Conflict) return undefined
        throw error
      }
    })
  }

  /** Only memory and processes. Never rejects: what cannot be read counts as hit. */
  async lookAtCounts(): Promise<LimitEnding | undefined> {
    return await this.#hitByCounts(false).catch(limitsUnknown)
  }

  async #hitByCounts(isDecision: boolean): Promise<LimitEnding | undefined> {
    const { memoryBytes: limitBytes, pids: limit } = this.limits
    const counts = this.probe.counts()
    // When its init is killed for want of memory, the container ends, and its counters go with it.
    if (!counts)
      return isDecision && (await this.probe.wasOutOfMemory()) ? { kind: 'out-of-memory', limitBytes } : undefined
    // Memory first: a fork can fail because of the memory limit.
    if (counts.oomKills > 0) return { kind: 'out-of-memory', limitBytes }
    if (counts.forksRefused > 0) return { kind: 'pids-limit', limit }
    return undefined
  }

  async #lookAtDisk(isDecision: boolean): Promise<LimitEnding | undefined> {
    const limitBytes = this.limits.diskBytes
    const hasGrown = this.#disk.observe(await this.probe.filesystemUse())
    if (!(isDecision ? this.#disk.isInDoubt : hasGrown && performance.now() >= this.#nextMeasurement)) return undefined
    const usedBytes = await this.#ownUse()
    return usedBytes > limitBytes ? { kind: 'disk-full', usedBytes, limitBytes } : undefined
  }

  /** Throws only if the container may have exceeded its limit. */
  async #ownUse(): Promise<number> {
    let frozenMs = 0
    let pauseMs = 0
    try {
      const usedBytes = await this.probe.ownUse((took) => (frozenMs = took))
      this.#disk.measured(usedBytes)
      return usedBytes
    } catch (error) {
      pauseMs = this.retryMs
      const isWithin = this.#disk.atMost <= this.limits.diskBytes
      if (isWithin || (error instanceof Fault && error.code === 'cannot-freeze')) return this.#disk.atMost
      throw error
    } finally {
      this.#nextMeasurement = performance.now() + Math.max(pauseMs, frozenMs * (1 / FROZEN_SHARE - 1))
    }
  }
}

function limitsUnknown(error: unknown): LimitEnding {
  return { kind: 'limits-unknown', error: error instanceof Error ? error : new Error(String(error)) }
}
