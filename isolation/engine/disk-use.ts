import { stat, statfs } from 'node:fs/promises'
import { runProcess } from '../../base/run-process.js'

/**
 * When it is time to measure what a launch has written. Measuring means to freeze it and to walk through its files;
 * looking at what is used of the filesystem is one cheap call, and a launch cannot have grown by more than that has.
 */
export class GrowthGauge {
  #measured = 0
  #last: number
  #growth = 0

  /**
   * @param limit in bytes
   * @param filesystem as in `observe`, from before the launch could write anything
   */
  constructor(
    private readonly limit: number,
    filesystem: number,
  ) {
    this.#last = filesystem
  }

  /**
   * @param filesystem bytes in use on the filesystems that the launch writes to, by anybody
   * @returns whether the launch may have reached its limit
   */
  observe(filesystem: number): boolean {
    // What others delete must not hide what the launch writes: only growth counts. Between two looks it may hide some
    // all the same, so half of the room that is left is reason enough.
    this.#growth += Math.max(0, filesystem - this.#last)
    this.#last = filesystem
    // Close to the limit every byte would be a reason; a sixteenth of it is near enough.
    return this.#growth >= Math.max((this.limit - this.#measured) / 2, this.limit / 16)
  }

  /** What the launch can use at most, in bytes: as if all that was written since it was measured were its own. */
  get atMost(): number {
    return this.#measured + this.#growth
  }

  /** @param used what the launch was found to use, in bytes */
  measured(used: number): void {
    this.#measured = used
    this.#growth = 0
  }
}

/** An empty file costs no block, yet nobody else can have its inode. */
const BYTES_PER_ENTRY = 512

/** What is in use, by anybody, on the filesystems that hold `directories`: in bytes. */
export async function filesystemUse(directories: readonly string[]): Promise<number> {
  const seen = new Set<number>()
  let used = 0
  for (const directory of directories) {
    const { dev } = await stat(directory)
    if (seen.has(dev)) continue
    seen.add(dev)
    const { blocks, bfree, bsize, files, ffree } = await statfs(directory)
    used += (blocks - bfree) * bsize + (files - ffree) * BYTES_PER_ENTRY
  }
  return used
}

/**
 * What `directories` use, in bytes. A stager may have written them: only while nothing of it runs. `du` walks by
 * directory descriptors, so that neither depth nor symbolic links lead it astray.
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
