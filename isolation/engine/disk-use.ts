import { stat, statfs } from 'node:fs/promises'
import { runProcess } from '../../base/run-process.js'

/**
 * Decides when to measure what a launch has written. A measurement freezes the container and walks through its files;
 * reading the use of the whole filesystem is one cheap call, and a launch cannot have written more than that has grown.
 */
export class GrowthGauge {
  #measured = 0
  #last: number
  #growth = 0
  #shrinkage = 0

  /**
   * @param limit in bytes
   * @param filesystem as in `observe`, taken before the launch can write
   */
  constructor(
    private readonly limit: number,
    filesystem: number,
  ) {
    this.#last = filesystem
  }

  /**
   * @param filesystem bytes in use on the filesystems that the launch writes to, whoever uses them
   * @returns whether the launch may have reached its limit
   */
  observe(filesystem: number): boolean {
    // Only growth counts, so that deletions by others do not hide what the launch writes. Between two calls they can
    // still hide some of it, so half of the remaining space is reason enough.
    this.#growth += Math.max(0, filesystem - this.#last)
    this.#shrinkage += Math.max(0, this.#last - filesystem)
    this.#last = filesystem
    return this.#growth >= this.#reason
  }

  /** Bytes by which the filesystems can grow before `observe` finds that the launch may have reached its limit. */
  get headroom(): number {
    return Math.max(0, this.#reason - this.#growth)
  }

  /**
   * As the last `observe`, for a decision: where others have deleted much since the last measurement, they may have
   * hidden the rest.
   */
  get isInDoubt(): boolean {
    return this.#growth + this.#shrinkage >= this.#reason
  }

  /** Near the limit every byte would be a reason to measure: a sixteenth of the limit is precise enough. */
  get #reason(): number {
    return Math.max((this.limit - this.#measured) / 2, this.limit / 16)
  }

  /** An upper bound of what the launch uses, in bytes: all growth since the last measurement counts as its own. */
  get atMost(): number {
    return this.#measured + this.#growth
  }

  /** @param used the measured use of the launch, in bytes */
  measured(used: number): void {
    this.#measured = used
    this.#growth = 0
    this.#shrinkage = 0
  }
}

/** An empty file has no block, but takes an inode. */
const BYTES_PER_ENTRY = 512

/** Those of `directories` that exist, and one of these for each filesystem that holds some of them. */
export async function existingDirectories(
  directories: readonly string[],
): Promise<{ existing: string[]; onePerFilesystem: string[] }> {
  const devices = await Promise.all(
    directories.map((directory) =>
      stat(directory).then(
        ({ dev }) => dev,
        () => undefined,
      ),
    ),
  )
  const existing = directories.filter((_, index) => devices[index] !== undefined)
  const onePerFilesystem = directories.filter(
    (_, index) => devices[index] !== undefined && devices.indexOf(devices[index]) === index,
  )
  return { existing, onePerFilesystem }
}

/** Bytes in use on the filesystems that hold `directories`, of which no two may be on the same one. */
export async function filesystemUse(directories: readonly string[]): Promise<number> {
  let used = 0
  for (const directory of directories) {
    const { blocks, bfree, bsize, files, ffree } = await statfs(directory)
    used += (blocks - bfree) * bsize + (files - ffree) * BYTES_PER_ENTRY
  }
  return used
}

/**
 * Bytes that `directories` use. Call it only while no stager writes there. `du` walks by file descriptors, so neither
 * deep paths nor symbolic links confuse it.
 */
export async function directoryUse(directories: readonly string[], signal: AbortSignal): Promise<number> {
  const [bytes, entries] = await Promise.all([
    runProcess('du', ['-s', '-c', '--block-size=1', '--', ...directories], { signal }),
    runProcess('du', ['-s', '-c', '--inodes', '--', ...directories], { signal }),
  ])
  return total(bytes.stdout) + total(entries.stdout) * BYTES_PER_ENTRY
}

function total(du: string): number {
  return Number(/^(\d+)\ttotal$/m.exec(du)?.[1] ?? 0)
}
