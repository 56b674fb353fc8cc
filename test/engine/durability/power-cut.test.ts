import { writeFile, open, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { runProcess } from '../../../base/run-process.js'
import {
  mountImage,
  RecordedFilesystem,
  type Journaling,
  type PowerCut,
} from '../../support/disk/recorded-filesystem.js'
import { NodeUnderTest } from '../../support/durability/node-under-test.js'
import { isYes, type Acknowledged } from '../../support/durability/workload.js'

/**
 * The power fails at the barriers of a disk while the daemon works, and of what was written after the last of them there
 * is nothing, all, or a part. LAW_RUNS sets how many states of the disk are looked at.
 */

const STATES = Number(process.env['LAW_RUNS'] ?? 10)
const BLOCK = 64 * 1024
const OPERATIONS = ['create a package', 'change a package', 'stage', 'import', 'delete a package', 'back up', 'stage']

it.each<Journaling>(['data=ordered', 'data=writeback'])(
  'power cuts on ext4 with %s',
  async (journaling) => {
    const filesystem = await RecordedFilesystem.open(journaling)
    const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-test-'))
    try {
      const node = await NodeUnderTest.open(path.join(filesystem.path, 'state'), (one) =>
        filesystem.disk.mark(JSON.stringify(one)),
      )
      await node.workload.prepare()
      for (const operation of OPERATIONS) expect(isYes(await node.do(operation)), operation).toBe(true)
      await node.close()
      await filesystem.unmount()
      const cuts = await filesystem.barriers()
      expect(cuts).toBeGreaterThan(20)
      let looked = 0
      for await (const cut of filesystem.powerCuts()) {
        if (Math.floor((cut.barrier * STATES) / cuts) === Math.floor(((cut.barrier - 1) * STATES) / cuts)) continue
        const how = (['none', 'all', 'some'] as const)[looked++ % 3]!
        const wrongs = await wrongsAfter(cut, how, directory, journaling)
        expect(wrongs, `power cut before barrier ${cut.barrier} of ${cuts}, with ${how} of what follows`).toEqual([])
      }
      expect(looked).toBeGreaterThan(0)
    } finally {
      await filesystem.close()
      await rm(directory, { recursive: true })
    }
  },
  120_000 + STATES * 3_000,
)

/** What is wrong when the machine has its power again. */
async function wrongsAfter(
  { image, unsafe, marks, barrier }: PowerCut,
  how: 'none' | 'all' | 'some',
  directory: string,
  journaling: Journaling,
): Promise<string[]> {
  const content = Buffer.from(image)
  unsafe.forEach(({ offset, data }, index) => {
    if (how === 'none') return
    // Numbers without a pattern, which are the same each time.
    const part = how === 'all' ? 1 : [0, 1, 0.5][(barrier * 7 + index * 13) % 3]!
    data.copy(content, offset, 0, Math.floor((data.length * part) / 512) * 512)
  })
  const file = path.join(directory, 'image')
  await writeSparse(file, content)
  const mount = path.join(directory, 'mount')
  await mountImage(file, mount, journaling)
  try {
    const node = await NodeUnderTest.open(path.join(mount, 'state'))
    try {
      const wrongs = await node.wrongs(marks.map((mark) => JSON.parse(mark) as Acknowledged))
      const { status } = await node.do('upload')
      return status === 201 ? wrongs : [...wrongs, `an upload is answered with ${status}`]
    } finally {
      await node.close()
    }
  } finally {
    await runProcess('umount', [mount])
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
