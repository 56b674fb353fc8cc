import { mkdir, mkdtemp, open, rm, statfs, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import type { Problem } from '../../../daemon/documents/problem.js'
import { errnoOf } from '../../../base/errors.js'
import { runProcess } from '../../../base/run-process.js'
import { NodeUnderTest } from '../../support/durability/node-under-test.js'
import { isYes } from '../../support/durability/workload.js'
import { until } from '../../support/until.js'

/** Real file systems that are full, until somebody frees some space. */

const SIZE = '16M'

async function mountOf(kind: string, directory: string, mount: string): Promise<void> {
  await mkdir(mount)
  if (kind === 'tmpfs') return void (await runProcess('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'test', mount]))
  const image = path.join(directory, 'image')
  await writeFile(image, '')
  await truncate(image, 16 * 1024 * 1024)
  await runProcess('mkfs.ext4', ['-q', '-m', '0', image])
  await runProcess('mount', ['-o', 'loop', image, mount])
}

/** Takes all space but `spare` bytes. */
async function fill(file: string, spare: number): Promise<void> {
  const handle = await open(file, 'w')
  try {
    const { bavail, bsize } = await statfs(path.dirname(file))
    const block = Buffer.alloc(4096, 1)
    for (let left = bavail * bsize - spare; left > 0; left -= block.length) await handle.write(block)
    await handle.sync()
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error
  } finally {
    await handle.close()
  }
}

it.each(['tmpfs', 'ext4'])('%s: what needs space is refused, and works as soon as there is some', async (kind) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-test-'))
  const mount = path.join(directory, 'mount')
  await mountOf(kind, directory, mount)
  const filler = path.join(mount, 'filler')
  let node: NodeUnderTest | undefined
  try {
    node = await NodeUnderTest.open(path.join(mount, 'state'))
    const { acknowledged } = node
    await node.workload.prepare()
    let refusals = 0
    // From nothing at all to enough for some of what is to be written.
    for (const spare of [0, 8 * 1024, 64 * 1024])
      for (const operation of ['upload', 'create a package', 'import', 'back up']) {
        await fill(filler, spare)
        const refused = await node.do(operation)
        if (!isYes(refused)) {
          expect((refused.document as Problem).code, operation).toBe('disk-full')
          refusals += 1
        }
        await rm(filler)
        expect(isYes(await node.do(operation)), operation).toBe(true)
      }
    // Not all: ext4 keeps some space for itself, in which a little has room.
    expect(refusals).toBeGreaterThan(3)
    const before = acknowledged.filter(({ what }) => what === 'staging').length
    const staged = node.do('stage')
    await until('a staging is submitted', () => acknowledged.filter(({ what }) => what === 'staging').length > before)
    await fill(filler, 0)
    await rm(filler)
    await staged
    expect(isYes(await node.do('stage'))).toBe(true)
    await node.expectDurable(`${kind} that was full`)
  } finally {
    await node?.close()
    await runProcess('umount', ['--lazy', mount])
    await rm(directory, { recursive: true })
  }
})
