import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { assertHoldsOverlays } from '../../../isolation/host/overlay-probe.js'
import { OverlayScratch } from '../support/overlay.js'

let scratch: OverlayScratch
beforeEach(() => {
  scratch = new OverlayScratch()
})
afterEach(() => scratch.remove())

describe('the filesystem of the state directory', () => {
  it('is accepted if it can hold an overlay, and nothing is left in it', async () => {
    const directory = scratch.path('state')
    mkdirSync(directory)
    await assertHoldsOverlays(directory)
    expect(readdirSync(directory)).toEqual([])
  })

  it('is refused if it is an overlay itself, as in a container', async () => {
    mkdirSync(scratch.path('image'))
    const { merged } = scratch.mount([scratch.path('image')])
    await expect(assertHoldsOverlays(merged)).rejects.toMatchObject({
      code: 'bad-state-dir',
      message: `Stagings cannot work in the state directory ${merged}, because it is on a filesystem of type overlayfs, and it cannot be the upper layer of an overlay: use a directory on a local filesystem such as ext4, xfs or btrfs, with --state-dir.`,
    })
    expect(readdirSync(merged)).toEqual([])
  })

  it('is refused if it has no extended attributes: ramfs, or vfat', async () => {
    const directory = scratch.path('ramfs')
    mkdirSync(directory)
    execFileSync('mount', ['-t', 'ramfs', 'ramfs', directory])
    try {
      await expect(assertHoldsOverlays(directory)).rejects.toMatchObject({
        code: 'bad-state-dir',
        message: expect.stringContaining('and it does not keep extended attributes of users') as string,
      })
    } finally {
      execFileSync('umount', [directory])
    }
  })
})
