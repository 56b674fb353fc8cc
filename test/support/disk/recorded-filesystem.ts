import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { runProcess } from '../../../base/run-process.js'
import type { Recorded } from './recording.js'
import { WatchedDisk } from './watched-disk.js'

/** The smallest on which ext4 has a journal, with room for a database. */
const IMAGE_BYTES = 24 * 1024 * 1024

/** Options of mount for the file systems. */
export type Journaling = 'data=ordered' | 'data=writeback'

/**
 * An ext4 on a disk that records its writes and barriers: a file of a `WatchedDisk` under a loop device. Needs root.
 */
export class RecordedFilesystem {
  /** Where it is mounted. */
  readonly path: string

  private constructor(
    readonly disk: WatchedDisk,
    private readonly directory: string,
    /** As it was when the recording began. */
    private readonly empty: Buffer,
  ) {
    this.path = path.join(directory, 'mount')
  }

  /** It is recorded from when it is mounted. The caller closes it. */
  static async open(journaling: Journaling): Promise<RecordedFilesystem> {
    const disk = await WatchedDisk.open()
    const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-power-'))
    await writeFile(disk.image, '')
    await truncate(disk.image, IMAGE_BYTES)
    await runProcess('mkfs.ext4', ['-q', '-m', '0', '-E', 'lazy_itable_init=0', disk.image])
    const filesystem = new RecordedFilesystem(disk, directory, await readFile(disk.image))
    disk.record()
    await mountImage(disk.image, filesystem.path, journaling)
    return filesystem
  }

  /** The content of the disk at each barrier, in order: the power may fail there. To be called when it is unmounted. */
  async *powerCuts(): AsyncGenerator<PowerCut> {
    const recorded = await this.disk.recorded()
    const image = Buffer.from(this.empty)
    const marks: string[] = []
    let since: Extract<Recorded, { kind: 'write' }>[] = []
    let barriers = 0
    for (const one of recorded) {
      if (one.kind === 'mark') marks.push(one.text)
      else if (one.kind === 'write') since.push(one)
      else {
        // What is written since the barrier before may be there, or not, or half of it.
        yield { barrier: barriers, image, unsafe: since, marks: [...marks] }
        for (const { offset, data } of since) data.copy(image, offset)
        since = []
        barriers += 1
      }
    }
  }

  /** How many there are. */
  async barriers(): Promise<number> {
    return (await this.disk.recorded()).filter(({ kind }) => kind === 'barrier').length
  }

  async unmount(): Promise<void> {
    await runProcess('umount', [this.path])
  }

  /** Unmounts it, if a failed test has not. */
  async close(): Promise<void> {
    if (readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${this.path} `))
      await runProcess('umount', ['--lazy', this.path])
    await this.disk.close()
    await rm(this.directory, { recursive: true })
  }
}

export interface PowerCut {
  /** From 0: how many barriers were over. */
  readonly barrier: number
  /** What is on the disk for certain. Valid until the next one is asked for. */
  readonly image: Buffer
  /** What was written after the last barrier, in its order: a disk may have any of it, and half of any sector. */
  readonly unsafe: readonly { readonly offset: number; readonly data: Buffer }[]
  /** The marks before the next barrier. */
  readonly marks: readonly string[]
}

/** Mounts an image file; the directory is made. */
export async function mountImage(image: string, directory: string, journaling: Journaling): Promise<void> {
  await runProcess('mkdir', ['-p', directory])
  await runProcess('mount', ['-o', `loop,${journaling}`, image, directory])
}
