import { mkdtemp, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { runProcess } from '../../../base/run-process.js'
import { until } from './private-daemon.js'
import { ON_DISK } from './on-disk.js'

/** Mounts a filesystem from an image file in the directory $1. */
const MAKE = `set -e
cd "$1"
mkdir outer inner
truncate --size 64M outer.img
mkfs.ext4 -q outer.img
mount -o loop outer.img outer
truncate --size 32M outer/inner.img
mkfs.ext4 -q outer/inner.img
mount -o loop outer/inner.img inner
echo made
exec sleep 600
`

/** Writes to the file $2 in the cgroup $1, and waits until the data is on the disk. */
const WRITE = 'echo $$ >"$1/cgroup.procs" && exec dd if=/dev/zero of="$2" bs=1M count=4 conv=fsync'

/**
 * A disk that stops responding: a filesystem in an image file on another filesystem, which can be frozen. Processes
 * that wait for it are in the state D, in which the kernel cannot freeze them.
 *
 * It is mounted in its own mount namespace: otherwise each container that starts meanwhile would hold a copy of the
 * mounts and keep them busy.
 */
export class HangingDisk {
  #waiting: Promise<unknown> | undefined

  private constructor(
    private readonly directory: string,
    private readonly holder: ReturnType<typeof holdNamespace>,
  ) {}

  static async make(): Promise<HangingDisk> {
    const directory = await mkdtemp(path.join(ON_DISK, 'stagerd-disk-'))
    const holder = holdNamespace(directory)
    let said = ''
    holder.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await until('the disk is made', () => {
      if (holder.exitCode !== null) throw new Error('the disk could not be mounted')
      return said === 'made\n'
    })
    return new HangingDisk(directory, holder)
  }

  /**
   * Resolves when a process of the cgroup waits for the disk.
   *
   * @param group directory of the cgroup
   */
  async hang(group: string): Promise<void> {
    await this.#fsfreeze('--freeze')
    const command = ['sh', '-c', WRITE, 'sh', group, path.join(this.directory, 'inner/file')]
    const writer = execa('nsenter', [...this.#inside, ...command], { reject: false })
    this.#waiting = writer
    // Each process is in this state for a moment, while its program is read.
    let inARow = 0
    await until('dd waits for the disk', async () => {
      const waits = /^Name:\tdd$[^]*^State:\tD/m.test(await readFile(`/proc/${String(writer.pid)}/status`, 'utf8'))
      inARow = waits ? inARow + 1 : 0
      return inARow === 10
    })
  }

  async answer(): Promise<void> {
    await this.#fsfreeze('--unfreeze')
    await this.#waiting
    this.#waiting = undefined
  }

  async close(): Promise<void> {
    if (this.#waiting) await this.answer()
    this.holder.kill()
    await this.holder
    await rm(this.directory, { recursive: true })
  }

  get #inside(): readonly string[] {
    return ['--target', String(this.holder.pid), '--mount', '--']
  }

  async #fsfreeze(how: '--freeze' | '--unfreeze'): Promise<void> {
    await runProcess('nsenter', [...this.#inside, 'fsfreeze', how, path.join(this.directory, 'outer')])
  }
}

function holdNamespace(directory: string) {
  return execa('unshare', ['--mount', 'sh', '-c', MAKE, 'sh', directory], { reject: false })
}
