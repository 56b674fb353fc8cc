import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { runProcess } from '../../../base/run-process.js'
import { until } from './private-daemon.js'

/**
 * A disk that does not answer for a while: a filesystem in a file of another one, which can be frozen under it. Who waits
 * for it does so in the state D, in which the kernel freezes nobody.
 */
export class HangingDisk {
  #waiting: Promise<unknown> | undefined

  private constructor(private readonly directory: string) {}

  static async make(): Promise<HangingDisk> {
    const disk = new HangingDisk(await mkdtemp(path.join(tmpdir(), 'stagerd-disk-')))
    await makeFilesystem(path.join(disk.directory, 'outer.img'), 64, disk.#outer)
    await makeFilesystem(path.join(disk.#outer, 'inner.img'), 32, disk.#inner)
    return disk
  }

  get #outer(): string {
    return path.join(this.directory, 'outer')
  }

  get #inner(): string {
    return path.join(this.directory, 'inner')
  }

  /**
   * Resolves when a process of the control group waits for the disk.
   *
   * @param group directory of the control group
   */
  async hang(group: string): Promise<void> {
    await runProcess('fsfreeze', ['--freeze', this.#outer])
    const script = 'echo $$ >"$1/cgroup.procs" && exec dd if=/dev/zero of="$2" bs=1M count=4 conv=fsync'
    const writer = execa('sh', ['-c', script, 'sh', group, path.join(this.#inner, 'file')], { reject: false })
    this.#waiting = writer
    // For a moment everybody does, while its program is read.
    let inARow = 0
    await until('dd waits for the disk', async () => {
      const waits = /^Name:\tdd$[^]*^State:\tD/m.test(await readFile(`/proc/${String(writer.pid)}/status`, 'utf8'))
      inARow = waits ? inARow + 1 : 0
      return inARow === 10
    })
  }

  async answer(): Promise<void> {
    await runProcess('fsfreeze', ['--unfreeze', this.#outer])
    await this.#waiting
    this.#waiting = undefined
  }

  async close(): Promise<void> {
    if (this.#waiting) await this.answer()
    await runProcess('umount', [this.#inner])
    await runProcess('umount', [this.#outer])
    await rm(this.directory, { recursive: true })
  }
}

async function makeFilesystem(image: string, megabytes: number, mountPoint: string): Promise<void> {
  await writeFile(image, '')
  await truncate(image, megabytes * 1024 * 1024)
  await runProcess('mkfs.ext4', ['-q', image])
  await runProcess('mkdir', [mountPoint])
  await runProcess('mount', ['-o', 'loop', image, mountPoint])
}
