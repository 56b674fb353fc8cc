import { mkdir, mkdtemp, rm, truncate, writeFile, copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import type { Problem } from '../../../daemon/documents/problem.js'
import { WatchedDisk } from '../../support/disk/watched-disk.js'
import { SocketClient } from '../../support/durability/engineless-daemon.js'
import { KilledDaemon } from '../../support/durability/killed-daemon.js'
import { expectDurable, NodeUnderTest } from '../../support/durability/node-under-test.js'
import { until } from '../../support/until.js'
import { isYes, Refusal, Workload, type Acknowledged } from '../../support/durability/workload.js'

/**
 * A block device that fails: a loop device, whose file answers EIO to a write or a flush. The file system on it behaves
 * as Linux does: the fsync fails once, and the next one succeeds, although the bytes are in memory only. So what counts is
 * what is on the device when the power fails, and not what the kernel shows. When its journal fails, the file system
 * becomes read-only.
 */

const MEBIBYTES = 24

let disk: WatchedDisk
let daemon: KilledDaemon
let directory: string
let mount: string
let client: SocketClient
let workload: Workload
let acknowledged: Acknowledged[]

beforeAll(async () => {
  ;[disk, daemon] = await Promise.all([WatchedDisk.open(), KilledDaemon.compile()])
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-test-'))
  mount = path.join(directory, 'mount')
  await mkdir(mount)
  client = new SocketClient(daemon.socket)
})
afterAll(async () => {
  await client.close()
  await daemon.close()
  await disk.close()
  await rm(directory, { recursive: true })
})

const stateDir = () => path.join(mount, 'state')

/** Runs `work` with a daemon on a new file system, which is then unmounted. */
async function onDevice(work: () => Promise<void>): Promise<void> {
  disk.plan()
  // The loop device of the test before lets go of it some time after it is unmounted.
  await until('the device is free', async () => {
    return (await runProcess('losetup', ['--associated', disk.image])).stdout === ''
  })
  await writeFile(disk.image, '')
  await truncate(disk.image, MEBIBYTES * 2 ** 20)
  await runProcess('mkfs.ext4', ['-q', '-m', '0', disk.image])
  await runProcess('mount', ['-o', 'loop,errors=remount-ro', disk.image, mount])
  try {
    acknowledged = []
    workload = new Workload(client, (one) => void acknowledged.push(one))
    daemon.spawn(stateDir())
    expect(await daemon.ready()).toBe(true)
    await workload.prepare()
    await work()
  } finally {
    disk.plan()
    await daemon.kill()
    await runProcess('umount', [mount])
  }
}

/** Looks at what is on the device now, as after a power cut, with a daemon that knows nothing else. */
async function expectDurableOnDevice(what: string, known: readonly Acknowledged[]): Promise<void> {
  // New ones each time: a container that starts meanwhile keeps a mount of the host, and its loop device, for a moment.
  const place = await mkdtemp(path.join(directory, 'copy-'))
  const [copy, other] = [path.join(place, 'image'), path.join(place, 'mount')]
  await copyFile(disk.image, copy)
  await mkdir(other)
  // Exit code 1: it has replayed the journal, or mended what an error has left.
  await runProcess('sh', ['-c', 'e2fsck -fy "$1" >/dev/null || [ $? -eq 1 ]', 'sh', copy])
  await runProcess('mount', ['-o', 'loop', copy, other])
  try {
    const node = await NodeUnderTest.open(path.join(other, 'state'))
    try {
      await node.expectDurable(what, known)
    } finally {
      await node.close()
    }
  } finally {
    await runProcess('umount', ['--lazy', other])
  }
}

const attempt = (operation: string) =>
  workload.operations[operation]!().catch((error: unknown) => {
    if (error instanceof Refusal) return error.answer
    throw error
  })

/** It may be refused, but says why. @returns whether it was done */
async function isDone(asked: string, what: string): Promise<boolean> {
  const answer = await attempt(asked)
  if (isYes(answer)) return true
  expect((answer.document as Problem).code, `${what}: ${answer.body.toString()}`).toBe('disk-error')
  return false
}

/**
 * The file system flushes its journal at times of its own, too, and Linux looks at the error of some of these flushes only. If one of
 * them takes the planted error, the daemon is not told, and says yes to what is durable: that is compared with the device later.
 */
async function isRefusedAtFlush(asked: string): Promise<boolean> {
  for (let attempts = 0; attempts < 5; attempts++) {
    disk.plan({ point: 'fsync disk.img', nth: 1, then: { fail: 'EIO' } })
    if (!(await isDone(asked, 'EIO at a flush'))) return true
  }
  return false
}

it.each([
  ['a blob', 'upload'],
  ['the log of the database', 'change a package'],
])(
  'an error of the device while %s is made durable: it is refused, and no later yes relies on it',
  async (_, asked) => {
    await onDevice(async () => {
      await workload.operations[asked]!()
      // The data: the journal of the file system follows it.
      disk.plan({ point: 'write disk.img', nth: 1, then: { fail: 'EIO' } })
      expect(await isDone(asked, 'EIO at a write')).toBe(false)
      disk.plan()
      expect(await isDone(asked, 'after EIO at a write')).toBe(true)
      await expectDurableOnDevice(`power cut after EIO at a write, asked to ${asked}`, [...acknowledged])
      expect(await isRefusedAtFlush(asked)).toBe(true)
      disk.plan()
      // If it was the journal that was flushed, the file system is read-only from now on.
      await isDone(asked, 'after EIO at a flush')
      await expectDurableOnDevice(`power cut after EIO at a flush, asked to ${asked}`, [...acknowledged])
    })
  },
)

it('an error of the device, a kill and a start, which reads what is in memory only: what is said later is durable', async () => {
  await onDevice(async () => {
    await workload.operations['change a package']!()
    disk.plan({ point: 'write disk.img', nth: 1, then: { fail: 'EIO' } })
    const refused = await attempt('change a package')
    expect(isYes(refused)).toBe(false)
    disk.plan()
    await daemon.kill()
    daemon.spawn(stateDir())
    expect(await daemon.ready()).toBe(true)
    for (const operation of ['change a package', 'create a package', 'change a package'])
      expect(isYes(await attempt(operation)), operation).toBe(true)
    await expectDurableOnDevice('power cut after a failed fsync and a restart', [...acknowledged])
    await expectDurable('a failed fsync and a restart', { client, stateDir: stateDir() }, acknowledged)
  })
})

it('an error of the device that makes the file system read-only: all is refused, and what was said before is there', async () => {
  await onDevice(async () => {
    await workload.operations['create a package']!()
    disk.plan({ point: 'write disk.img', nth: 1, then: { fail: 'EIO', lasting: ['write'] } })
    for (const operation of ['change a package', 'upload', 'change a package']) {
      const answer = await attempt(operation)
      expect(isYes(answer), operation).toBe(false)
      expect((answer.document as Problem).code, operation).toBe('disk-error')
    }
    await expectDurableOnDevice('a file system that became read-only', [...acknowledged])
  })
})
