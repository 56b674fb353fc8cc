import { Fault } from '../../base/errors.js'
import type { Ending } from '../isolation.js'
import type { Limits } from '../launch-plan.js'
import { FileWatcher } from './file-watcher.js'
import type { CgroupCounts } from './cgroup-files.js'
import { GrowthGauge } from './disk-use.js'

/** Observes a container from outside. */
export interface LimitProbe {
  counts(): Promise<CgroupCounts>
  /** Files that the kernel changes when a limit is hit. Not every kernel has them. */
  readonly eventFiles: readonly string[]
  /** Bytes in use on the filesystems that it writes to, whoever uses them. */
  filesystemUse(): Promise<number>
  /** The same, taken before its program began. */
  readonly filesystemUseBefore: number
  /** Bytes that the container itself uses. Expensive: it freezes the container. */
  ownUse(): Promise<number>
}

/** A check takes a few system calls. In this time a disk can write a hundred megabytes. */
const INTERVAL_MS = 100

/** Checks whether limits were hit: the kernel refuses or kills, but does not notify the daemon. */
export class LimitWatch {
  readonly #disk: GrowthGauge

  constructor(
    private readonly probe: LimitProbe,
    private readonly limits: Limits,
  ) {
    this.#disk = new GrowthGauge(limits.diskBytes, probe.filesystemUseBefore)
  }

  /** Checks until a limit was hit or `signal` aborts. Never rejects: it retries what cannot be read. */
  async untilHit(signal: AbortSignal): Promise<Ending | undefined> {
    const watcher = new FileWatcher(this.probe.eventFiles, signal)
    while (!signal.aborted) {
      const ending = await this.look()
      if (ending) return ending
      await watcher.changeOrTimeout(INTERVAL_MS)
    }
    return undefined
  }

  async look(): Promise<Ending | undefined> {
    return (await this.lookAtCounts()) ?? (await this.#lookAtDisk())
  }

  async lookAtCounts(): Promise<Ending | undefined> {
    const { oomKills, forksRefused } = await this.probe.counts()
    // Memory first: a fork can fail because of the memory limit.
    if (oomKills > 0) return { kind: 'out-of-memory', limitBytes: this.limits.memoryBytes }
    if (forksRefused > 0) return { kind: 'pids-limit', limit: this.limits.pids }
    return undefined
  }

  async #lookAtDisk(): Promise<Ending | undefined> {
    const limitBytes = this.limits.diskBytes
    try {
      if (!this.#disk.observe(await this.probe.filesystemUse())) return undefined
      const usedBytes = await this.#ownUse()
      return usedBytes > limitBytes ? { kind: 'disk-full', usedBytes, limitBytes } : undefined
    } catch {
      // Either the container is being ended for another cause, or the Engine does not answer, which ends it too.
      return undefined
    }
  }

  /** A container that cannot be frozen cannot be measured. Then the upper bound counts, so that the limit still holds. */
  async #ownUse(): Promise<number> {
    try {
      const usedBytes = await this.probe.ownUse()
      this.#disk.measured(usedBytes)
      return usedBytes
    } catch (error) {
      if (error instanceof Fault && error.code === 'cannot-freeze') return this.#disk.atMost
      throw error
    }
  }
}
