import { writeFile, open, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import {
  mountImage,
  RecordedFilesystem,
  type Journaling,
  type PowerCut,
} from '../../support/disk/recorded-filesystem.js'
import { Figures } from '../../hostile/support/promises.js'
import { NodeUnderTest } from '../../support/durability/node-under-test.js'
import { isYes, type Acknowledged } from '../../support/durability/workload.js'

/**
 * The power fails at the barriers of a disk while the daemon works, and of what was written after the last of them there
 * is nothing, all, or a part. LAW_RUNS sets how many states of the disk are looked at.
 */

const STATES = Number(process.env['LAW_RUNS'] ?? 6)
const BLOCK = 64 * 1024
const OPERATIONS = ['create a package', 'change a package', 'stage', 'import', 'delete a package', 'back up', 'stage']

let filesystem: RecordedFilesystem
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-test-'))
})
afterEach(async () => {
  await filesystem.close()
  await rm(directory, { recursive: true })
})

/** Has the daemon do all of it on a new disk, which is recorded. @returns the number of barriers */
async function record(journaling: Journaling): Promise<number> {
  filesystem = await RecordedFilesystem.open(journaling)
  const node = await NodeUnderTest.open(path.join(filesystem.path, 'state'), (one) =>
    filesystem.disk.mark(JSON.stringify(one)),
  )
  try {
    await node.workload.prepare()
    for (const operation of OPERATIONS) expect(isYes(await node.do(operation)), operation).toBe(true)
  } finally {
    await node.close()
  }
  await filesystem.unmount()
  return await filesystem.barriers()
}

it.each<Journaling>(['data=ordered', 'data=writeback'])(
  'power cuts on ext4 with %s',
  async (journaling) => {
    const cuts = await record(journaling)
    expect(cuts).toBeGreaterThan(20)
    let looked = 0
    for await (const cut of filesystem.powerCuts()) {
      if (Math.floor((cut.barrier * STATES) / cuts) === Math.floor(((cut.barrier - 1) * STATES) / cuts)) continue
      const how = (['none', 'all', 'some'] as const)[looked++ % 3]!
      const what = `power cut before barrier ${cut.barrier} of ${cuts}, with ${how} of what follows, ${journaling}`
      await expectDurableAfter(what, { ...cut, content: contentAfter(cut, how) }, journaling)
    }
    expect(looked).toBeGreaterThan(0)
  },
  120_000 + STATES * 3_000,
)

it('is told of a disk that does not keep what it has said to be durable', async () => {
  await record('data=ordered')
  const marks: string[] = []
  let content: Buffer | undefined
  for await (const cut of filesystem.powerCuts()) {
    // The database is there, and half of what is committed later.
    if (content === undefined && cut.marks.length > 3) content = Buffer.from(cut.image)
    marks.splice(0, Infinity, ...cut.marks)
  }
  const unrecorded = new Figures(undefined)
  await expect(expectDurableAfter('a lie', { content: content!, marks }, 'data=ordered', unrecorded)).rejects.toThrow(
    /^loss: a lie: /,
  )
})

/** What is on the disk if of what was written after the last barrier there is nothing, all, or a part. */
function contentAfter({ barrier, image, unsafe }: PowerCut, how: 'none' | 'all' | 'some'): Buffer {
  const content = Buffer.from(image)
  unsafe.forEach(({ offset, data }, index) => {
    if (how === 'none') return
    // Numbers without a pattern, which are the same each time.
    const part = how === 'all' ? 1 : [0, 1, 0.5][(barrier * 7 + index * 13) % 3]!
    data.copy(content, offset, 0, Math.floor((data.length * part) / 512) * 512)
  })
  return content
}

/** Looks at the node when the machine has its power again. */
async function expectDurableAfter(
  what: string,
  { content, marks }: { readonly content: Buffer; readonly marks: readonly string[] },
  journaling: Journaling,
  counted?: Figures,
): Promise<void> {
  // A new file each time: a container that starts meanwhile keeps a mount of the host, and its loop device, for a moment.
  const place = await mkdtemp(path.join(directory, 'cut-'))
  const [file, mount] = [path.join(place, 'image'), path.join(place, 'mount')]
  await writeSparse(file, content)
  await mountImage(file, mount, journaling)
  try {
    const node = await NodeUnderTest.open(path.join(mount, 'state'))
    try {
      const acknowledged = marks.map((mark) => JSON.parse(mark) as Acknowledged)
      await node.expectDurable(what, acknowledged, counted)
      expect((await node.do('upload')).status, `${what}, and then an upload`).toBe(201)
    } finally {
      await node.close()
    }
  } finally {
    await runProcess('umount', ['--lazy', mount])
    await rm(file)
  }
}

async function writeSparse(file: string, content: Buffer): Promise<void> {
  await writeFile(file, '')
  const handle = await open(file, 'r+')
  try {
    await handle.truncate(content.length)
    const zeros = Buffer.alloc(BLOCK)
    for (let at = 0; at < content.length; at += BLOCK) {
      const block = content.subarray(at, at + BLOCK)
      if (!block.equals(zeros)) await handle.write(block, 0, block.length, at)
    }
  } finally {
    await handle.close()
  }
}
