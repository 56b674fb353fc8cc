import { Fault } from '../../base/errors.js'
import type { Ending } from '../isolation.js'
import type { Limits } from '../launch-plan.js'
import { FileWatcher } from './file-watcher.js'
import type { CgroupCounts } from './cgroup-files.js'
import { GrowthGauge } from './disk-use.js'

/** What can be seen of a container from outside. */
export interface LimitProbe {
  counts(): Promise<CgroupCounts>
  /** Changed by the kernel when something happens, where it does that. */
  readonly eventFiles: readonly string[]
  /** Bytes in use on the filesystems that it writes to, by anybody. */
  filesystemUse(): Promise<number>
  /** The same, from before its program began. */
  readonly filesystemUseBefore: number
  /** Bytes that it has written itself: expensive, because it has to be frozen. */
  ownUse(): Promise<number>
}

/** A look is a handful of system calls; a disk takes a hundred megabytes meanwhile. */
const INTERVAL_MS = 100

/** Looks for limits that were hit: the kernel only refuses, or kills, and tells nobody. */
export class LimitWatch {
  readonly #disk: GrowthGauge

  constructor(
    private readonly probe: LimitProbe,
    private readonly limits: Limits,
  ) {
    this.#disk = new GrowthGauge(limits.diskBytes, probe.filesystemUseBefore)
  }

  /** Looks until a limit was hit or `signal` aborts. Never rejects: what cannot be read now is looked at again. */
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
    // Memory first: a fork fails for want of memory too.
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
      // The container is being ended, so something else was first; or the Engine does not answer, which ends it too.
      return undefined
    }
  }

  /** What cannot be frozen cannot be measured: nobody gets a disk without a limit that way. */
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
