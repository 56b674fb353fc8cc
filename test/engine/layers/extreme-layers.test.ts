import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { appendFileSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Holder } from '../../../base/leases.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { LastUsedTimes } from '../../../isolation/engine/last-used-times.js'
import { RootImages } from '../../../isolation/engine/root-images.js'
import type { Removal } from '../../../isolation/launch-plan.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import type { Layer } from '../../../isolation/layers/layer.js'
import { chooseCompressor } from '../../../isolation/archive/compressor.js'
import { takeSnapshot } from '../../../isolation/snapshot/snapshot.js'
import { collect } from '../../support/collect.js'
import { MemoryResources } from '../../support/memory-resources.js'
import { tarOf } from '../../support/tar-builder.js'
import { makeTree } from '../../support/trees.js'
import { OverlayScratch } from '../support/overlay.js'
import { listTar } from '../support/list-tar.js'

const never = new AbortController().signal
const GIB = 1024 ** 3
const TIB = 1024 ** 4
let scratch: OverlayScratch
let resources: MemoryResources
let cache: LayerDirectoryCache

beforeEach(async () => {
  scratch = new OverlayScratch()
  resources = new MemoryResources()
  cache = await LayerDirectoryCache.open({ directory: scratch.path('layers'), resources })
})

afterEach(() => scratch.remove())

const layerOf = (archive: Buffer, removals: readonly Removal[] = []) =>
  cache.materialise({ sha256: resources.add(archive), removals, name: 'extreme' }, never)
const seenOver = (...layers: readonly Layer[]) =>
  scratch.mount(layers.map(({ relativePath }) => join(cache.directory, relativePath))).merged
/** Changes the directory step by step, because the absolute path would be too long. */
const list = (directory: string) =>
  execFileSync('find', ['.', '-mindepth', '1', '-printf', '%y %m %T@ %P\\0'], { cwd: directory, maxBuffer: GIB })
    .toString('latin1')
    .split('\0')
    .slice(0, -1)

const deep = (segment: string, depth: number) => Array.from({ length: depth }, () => segment).join('/')
const tell = (file: string, format: string) => execFileSync('stat', ['-c', format, file], { encoding: 'utf8' }).trim()

/** A hole of `length` bytes, followed by `tail`. */
function sparseFile(directory: string, name: string, length: number, tail: string): void {
  makeTree(directory, { [name]: { hole: length } })
  appendFileSync(join(directory, name), tail)
}

describe('a sparse file', () => {
  const packed = (length: number, tail: string): Buffer => {
    const directory = scratch.path('sparse')
    mkdirSync(directory)
    sparseFile(directory, 'hole', length, tail)
    const archive = execFileSync('tar', ['-cS', '--format=pax', 'hole'], { cwd: directory })
    execFileSync('rm', ['-r', directory])
    return archive
  }

  test('of 1 TiB stays sparse in a layer and in an overlay over it', async () => {
    const merged = seenOver(await layerOf(packed(TIB, 'the end')))
    expect(tell(join(merged, 'hole'), '%s')).toBe(String(TIB + 7))
    expect(Number(tell(join(merged, 'hole'), '%b')) * 512).toBeLessThan(100_000)
    expect(execFileSync('tail', ['-c', '7', join(merged, 'hole')], { encoding: 'utf8' })).toBe('the end')
    const [{ bytes } = { bytes: TIB }] = await cache.list()
    expect(bytes).toBeLessThan(100_000)
  })

  test('of 1 TiB is rejected in a root before any of it is written, with a remedy', async () => {
    const layer = await layerOf(packed(TIB, ''))
    await expect(layer.asImageLayer(never)).rejects.toMatchObject({
      code: 'root-too-large',
      message: expect.stringMatching(/package extreme .*\/stagerfs/) as string,
    })
  })

  test('keeps every byte past 8 GiB', async () => {
    const tail = 'past what eleven octal digits can say'
    const merged = seenOver(await layerOf(packed(9 * GIB, tail)))
    expect(tell(join(merged, 'hole'), '%s')).toBe(String(9 * GIB + tail.length))
    expect(execFileSync('tail', ['-c', '50', join(merged, 'hole')], { encoding: 'latin1' })).toBe(
      tail.padStart(50, '\0'),
    )
  })
})

describe('a path', () => {
  const fileAt = (path: string) => tarOf({ name: 'x', data: 'deep', pax: { path } })

  test.each([
    { what: 'of 4095 bytes', path: deep('n'.repeat(255), 16) },
    { what: '1024 directories deep', path: deep('d', 1024) },
    { what: 'of both', path: deep('ddd', 1024) },
  ])('$what can be read, hidden, archived and removed', async ({ path }) => {
    const depth = path.split('/').length
    const lower = await layerOf(fileAt(path))
    const seen = list(seenOver(lower))
    expect(seen).toHaveLength(depth)
    expect(seen.at(-1)).toBe(`f 644 1000000000.0000000000 ${path}`)
    // Attributes that depend only on the path are the same for all paths.
    expect(seen.filter((line) => !line.startsWith('d 755 0.0000000000 '))).toHaveLength(1)

    const image = await lower.asImageLayer(never)
    const names = listTar(await collect(await image.openTar()))
    expect(names.trim().split('\n').at(-1)).toBe(path)

    const upper = await layerOf(tarOf({ name: 'other', data: '' }), [{ kind: 'removed', path }])
    const parents = list(seenOver(upper, lower)).filter((line) => line.startsWith('d'))
    expect(parents).toHaveLength(depth - 1)

    scratch.unmount()
    for (const { id } of await cache.list()) expect(await cache.discard(id)).toBe(true)
    expect(execFileSync('ls', ['-A', cache.directory], { encoding: 'utf8' })).toBe('')
  })

  test('that the Engine cannot keep is rejected in a root, with a remedy', async () => {
    const owner = { nodeId: randomUUID(), installDirectory: scratch.root }
    const images = new RootImages(connectEngine(), owner, new LastUsedTimes(scratch.path('images')))
    const layer = await layerOf(fileAt(deep('n'.repeat(255), 16)))
    const refused = images.ensure([await layer.asImageLayer(never)], new Holder(), never)
    await expect(refused).rejects.toMatchObject({
      code: 'root-path-too-long',
      message: expect.stringContaining('/stagerfs') as string,
    })
    expect(await images.list()).toEqual([])
  })

  test.each([
    { what: 'one directory deeper', path: deep('d', 1025), error: { code: 'archive-too-large' } },
    {
      what: 'one byte longer',
      path: `${deep('n'.repeat(255), 15)}/n/${'n'.repeat(254)}`,
      error: { code: 'archive-refused' },
    },
  ])('$what is rejected', async ({ path, error }) => {
    await expect(layerOf(fileAt(path))).rejects.toMatchObject(error)
  })
})

test('LAW: a lower layer and a snapshot of extremes, converted to a layer, show the same tree', async () => {
  const lower = scratch.path('lower')
  const paths = [deep('n'.repeat(255), 16), deep('ddd', 1024)]
  makeTree(lower, { 'a-file': { file: 'of a lower layer' } })
  const { merged, upper } = scratch.mount([lower])
  for (const [name, length] of Object.entries({ tebibyte: TIB, nine: 9 * GIB })) sparseFile(merged, name, length, name)
  for (const path of paths) {
    execFileSync('mkdir', ['-p', dirname(path)], { cwd: merged })
    execFileSync('touch', [path], { cwd: merged })
  }
  const compressor = await chooseCompressor()
  const taken = await takeSnapshot({ upper, lowers: [lower], compressor }, collect)
  const layer = await layerOf(taken.written, taken.removals)
  const again = scratch.mount([join(cache.directory, layer.relativePath), lower]).merged
  expect(list(again).sort()).toEqual(list(merged).sort())
  for (const name of ['tebibyte', 'nine']) {
    expect(tell(join(again, name), '%s')).toBe(tell(join(merged, name), '%s'))
    expect(Number(tell(join(again, name), '%b')) * 512).toBeLessThan(100_000)
    expect(execFileSync('tail', ['-c', '100', join(again, name)], { encoding: 'latin1' })).toBe(
      name.padStart(100, '\0'),
    )
  }
})
