import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { directoryUse, existingDirectories, filesystemUse, GrowthGauge } from '../../../isolation/engine/disk-use.js'
import { temporaryDirectory } from '../../daemon/store/temporary-directory.js'

describe('the gauge of growth', () => {
  it('asks for a measurement only when a launch may come near its limit', () => {
    const gauge = new GrowthGauge(1000, 50_000)
    expect(gauge.observe(50_100)).toBe(false)
    expect(gauge.observe(50_499)).toBe(false)
    expect(gauge.observe(50_500)).toBe(true)
  })

  it('is not misled by deletions of others', () => {
    const gauge = new GrowthGauge(1000, 50_000)
    expect(gauge.observe(50_400)).toBe(false)
    expect(gauge.observe(10_000)).toBe(false)
    expect(gauge.observe(10_100)).toBe(true)
  })

  it('waits for new growth after a measurement, at least a sixteenth of the limit', () => {
    const gauge = new GrowthGauge(1600, 0)
    expect(gauge.observe(1500)).toBe(true)
    gauge.measured(1590)
    expect(gauge.observe(1599)).toBe(false)
    expect(gauge.observe(1600)).toBe(true)
  })
})

describe('the disk use of directories', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  beforeEach(async () => {
    directory = await temporaryDirectory()
  })
  afterEach(() => directory.remove())

  it('counts the blocks of all directories, and a minimum for each empty file', async () => {
    const [a, b] = [join(directory.path, 'a'), join(directory.path, 'b')]
    await mkdir(a)
    await mkdir(b)
    const before = await directoryUse([a, b], AbortSignal.timeout(10_000))
    await writeFile(join(a, 'data'), Buffer.alloc(100_000))
    await writeFile(join(b, 'empty'), '')
    const grown = (await directoryUse([a, b], AbortSignal.timeout(10_000))) - before
    expect(grown).toBeGreaterThanOrEqual(100_000 + 2 * 512)
    expect(grown).toBeLessThan(130_000)
  })
})

describe('the use of filesystems', () => {
  it('counts once for several directories on the same one, and not for those that do not exist', async () => {
    expect(await existingDirectories(['/proc', '/none', '/', '/proc/self', '/'])).toEqual({
      existing: ['/proc', '/', '/proc/self', '/'],
      onePerFilesystem: ['/proc', '/'],
    })
  })

  it('is what is in use there', async () => {
    expect(await filesystemUse(['/proc'])).toBe(0)
    expect(await filesystemUse(['/'])).toBeGreaterThan(0)
  })
})
