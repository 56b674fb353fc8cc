import { dirname, join } from 'node:path'
import { readKernelFile } from '../host/kernel-file.js'
import type { WaitingUse } from '../isolation.js'
import { findCgroupFiles, readMemoryUse, type CgroupFiles } from './cgroup-files.js'
import { directoryUse, existingDirectories, filesystemUse, GrowthGauge } from './disk-use.js'

/** USER_HZ of Linux on all its processors: clock ticks of /proc in a second. */
const TICKS_PER_SECOND = 100

/** Of one measurement of the disk, in milliseconds. */
const MEASURE_DEADLINE_MS = 5_000

export interface WaitingContainer {
  readonly id: string
  /** Of its first process, on the host. */
  readonly pid: number
  /** The directories on the host that it can write to. */
  readonly written: readonly string[]
  /** What it may write, in bytes. */
  readonly diskBytes: number
}

/** Measures what a container uses whose first process waits for its start lines. It needs next to nothing. */
export class WaitingUseGauge {
  readonly #container: WaitingContainer
  #cgroup: CgroupFiles | undefined
  readonly #disk: GrowthGauge

  private constructor(
    container: WaitingContainer,
    private readonly filesystems: readonly string[],
    before: number,
  ) {
    this.#container = container
    this.#disk = new GrowthGauge(container.diskBytes, before)
  }

  static async of(container: WaitingContainer): Promise<WaitingUseGauge> {
    const { onePerFilesystem: filesystems } = await existingDirectories(container.written)
    return new WaitingUseGauge(container, filesystems, await filesystemUse(filesystems))
  }

  /** Undefined once the container is gone. Throws what cannot be measured. */
  async look(): Promise<WaitingUse | undefined> {
    const { id, pid } = this.#container
    this.#cgroup ??= findCgroupFiles(pid, id)
    const memoryBytes = readMemoryUse(this.#cgroup)
    if (memoryBytes === undefined) return undefined
    const processes = Number(readKernelFile(join(dirname(this.#cgroup.pidsEvents), 'pids.current')))
    return { memoryBytes, processes, processorMs: processorTime(pid), diskBytes: await this.#diskUse() }
  }

  /** An upper bound. The directories are walked only when their filesystems have grown by half of what it may write. */
  async #diskUse(): Promise<number> {
    const { written } = this.#container
    if (this.#disk.observe(await filesystemUse(this.filesystems)))
      this.#disk.measured(await directoryUse(written, AbortSignal.timeout(MEASURE_DEADLINE_MS)))
    return this.#disk.atMost
  }
}

/** Of a process, and of those of its children that it has waited for. */
function processorTime(pid: number): number {
  const text = readKernelFile(`/proc/${pid}/stat`)
  // The name of the program, which may contain spaces, ends with the last parenthesis.
  const times = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
  return (times.map(Number).reduce((sum, ticks) => sum + ticks) * 1000) / TICKS_PER_SECOND
}
