import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NotFound } from '../../../base/errors.js'
import { Holder } from '../../../base/leases.js'
import type { LayerSource, Removal } from '../../../isolation/launch-plan.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import { MemoryResources } from '../../support/memory-resources.js'
import { tarOf } from '../../support/tar-builder.js'
import { OverlayScratch } from '../support/overlay.js'

const never = new AbortController().signal
const anyPace = { pace: () => Promise.resolve(), signal: never }
let scratch: OverlayScratch
let resources: MemoryResources
let cache: LayerDirectoryCache
let source: LayerSource
let told: string[]

const observer = {
  damaged: (id: string, how: string) => void told.push(`${id} ${how}`),
  gone: (id: string) => void told.push(`${id} gone`),
}
const open = () => LayerDirectoryCache.open({ directory: scratch.path('layers'), resources, observer })
const archive = tarOf(
  { name: 'etc/', type: '5' },
  { name: 'etc/config', data: 'right' },
  { name: 'etc/link', type: '2', linkName: 'config' },
  { name: 'usr/lib/large', data: 'z'.repeat(200_000) },
)
const removals: Removal[] = [{ kind: 'removed', path: 'srv' }]

beforeEach(async () => {
  scratch = new OverlayScratch()
  resources = new MemoryResources()
  told = []
  cache = await open()
  source = { sha256: resources.add(gzipSync(archive)), removals, name: 'test' }
})

afterEach(() => scratch.remove())

const make = async (holder?: Holder) => (await cache.materialise(source, never, holder)).relativePath
const idOf = (relativePath: string) => relativePath.split('/')[0]!
const inTree = (relativePath: string, path: string) => join(cache.directory, relativePath, path)
/** As a medium does it: neither the length nor any time of the file changes. */
function flipBit(file: string, at = 0): void {
  const { atime, mtime } = statSync(file)
  const content = readFileSync(file)
  content[at]! ^= 1
  writeFileSync(file, content)
  utimesSync(file, atime, mtime)
}

describe('a layer is compared with its blob', () => {
  test('and stays where it is if it is the same, for less the second time', async () => {
    const tree = await make()
    let bytes = 0
    const pace = (more: number) => Promise.resolve(void (bytes += more))
    expect(await cache.verify(idOf(tree), { pace, signal: never })).toBe('sound')
    const [first, opened] = [bytes, resources.opened.length]
    expect(opened).toBe(2)
    expect(await cache.verify(idOf(tree), { pace, signal: never })).toBe('sound')
    expect(bytes - first).toBeLessThan(first)
    expect(resources.opened).toHaveLength(opened)
    expect([told, readdirSync(cache.directory)]).toEqual([[], [idOf(tree)]])
  })

  test.each<[string, (tree: string) => void]>([
    ['a bit of a file has flipped', (tree) => flipBit(inTree(tree, 'etc/config'))],
    ['a bit has flipped beyond what the sample reads', (tree) => flipBit(inTree(tree, 'usr/lib/large'), 150_000)],
    ['a file is missing', (tree) => rmSync(inTree(tree, 'etc/config'))],
    ['a file has another mode', (tree) => chmodSync(inTree(tree, 'etc/config'), 0o600)],
    ['a file has another time', (tree) => utimesSync(inTree(tree, 'etc/config'), 1, 2)],
    [
      'a link has another target',
      (tree) => {
        rmSync(inTree(tree, 'etc/link'))
        symlinkSync('gonfig', inTree(tree, 'etc/link'))
      },
    ],
    ['the list of its paths is missing', (tree) => rmSync(join(cache.directory, idOf(tree), 'paths'))],
    ['the list of its paths is damaged', (tree) => flipBit(join(cache.directory, idOf(tree), 'paths'))],
  ])('%s: it is told, thrown away, and made again by the next launch', async (_, damage) => {
    const tree = await make()
    damage(tree)
    expect(await cache.verify(idOf(tree), anyPace)).toBe('replaced')
    expect(existsSync(inTree(tree, ''))).toBe(false)
    expect(told).toEqual([expect.stringMatching(/^\w+ (differs from its blob|cannot be read: )/), `${idOf(tree)} gone`])
    expect(await make()).toBe(tree)
    expect(readFileSync(inTree(tree, 'etc/config'), 'utf8')).toBe('right')
  })

  test('also when it was the same before', async () => {
    const tree = await make()
    expect(await cache.verify(idOf(tree), anyPace)).toBe('sound')
    flipBit(inTree(tree, 'usr/lib/large'), 150_000)
    expect(await cache.verify(idOf(tree), anyPace)).toBe('replaced')
  })

  test('and not with what it was when it first was a part of a root', async () => {
    const layer = await cache.materialise(source, never)
    flipBit(inTree(layer.relativePath, 'etc/config'))
    await layer.asImageLayer(never)
    expect(await cache.verify(idOf(layer.relativePath), anyPace)).toBe('replaced')
  })

  test('which may be gone: then nobody can use the layer, and it goes too', async () => {
    const tree = await make()
    resources.open = () => Promise.reject(new NotFound('blob-not-found', 'There is no such data.'))
    expect(await cache.verify(idOf(tree), anyPace)).toBe('replaced')
  })

  test('while a launch uses it, it stays; then the next launch gets another', async () => {
    const holder = new Holder()
    const tree = await make(holder)
    flipBit(inTree(tree, 'etc/config'))
    expect(await cache.verify(idOf(tree), anyPace)).toBe('damaged')
    expect(await cache.verify(idOf(tree), anyPace)).toBe('damaged')
    expect(readFileSync(inTree(tree, 'etc/config'), 'utf8')).not.toBe('right')
    expect(told).toHaveLength(1)
    holder.release()
    await make()
    expect(readFileSync(inTree(tree, 'etc/config'), 'utf8')).toBe('right')
  })

  test('a damaged blob says nothing about its layer', async () => {
    const tree = await make()
    resources.open = () => Promise.reject(new Error('blob-corrupt'))
    await expect(cache.verify(idOf(tree), anyPace)).rejects.toThrow('blob-corrupt')
    expect([told, readdirSync(cache.directory)]).toEqual([[], [idOf(tree)]])
  })

  test('an abort ends it, and leaves nothing', async () => {
    const tree = await make()
    const stop = new AbortController()
    const pace = () => {
      stop.abort(new Error('enough'))
      return Promise.resolve()
    }
    await expect(cache.verify(idOf(tree), { pace, signal: stop.signal })).rejects.toThrow('enough')
    expect([told, readdirSync(cache.directory)]).toEqual([[], [idOf(tree)]])
  })

  test('a layer of an earlier version, which does not say what it was made from, is made again', async () => {
    const tree = await make()
    const file = join(cache.directory, idOf(tree), 'layer.json')
    const record = JSON.parse(readFileSync(file, 'utf8')) as object
    writeFileSync(file, JSON.stringify({ ...record, source: undefined, sample: undefined }))
    expect(await cache.verify(idOf(tree), anyPace)).toBe('replaced')
    expect(await make()).toBe(tree)
  })
})

describe('before the first use after a start, a sample of it is compared', () => {
  test.each<[string, (tree: string) => void]>([
    ['a bit of a file has flipped', (tree) => flipBit(inTree(tree, 'etc/config'))],
    ['a file is shorter', (tree) => execFileSync('truncate', ['-s', '100000', inTree(tree, 'usr/lib/large')])],
    ['a file is missing', (tree) => rmSync(inTree(tree, 'etc/config'))],
    ['the tree is missing', (tree) => rmSync(inTree(tree, ''), { recursive: true })],
    [
      'a file is a link',
      (tree) => {
        rmSync(inTree(tree, 'etc/config'))
        symlinkSync('/etc/passwd', inTree(tree, 'etc/config'))
      },
    ],
  ])('%s: the launch gets one that is made again', async (_, damage) => {
    const tree = await make()
    damage(tree)
    cache = await open()
    expect(await make()).toBe(tree)
    expect(readFileSync(inTree(tree, 'etc/config'), 'utf8')).toBe('right')
    expect(told).toEqual([expect.stringMatching(/has another content than what was unpacked/), `${idOf(tree)} gone`])
    expect(readdirSync(cache.directory)).toEqual([idOf(tree)])
  })

  test('and no more than that, once', async () => {
    const tree = await make()
    cache = await open()
    await make()
    // Now it is known to this process.
    flipBit(inTree(tree, 'etc/config'))
    await make()
    expect(told).toEqual([])
    expect(resources.opened).toHaveLength(1)
  })
})

test('a layer that was changed when the Engine reads it is made again when it is free', async () => {
  const holder = new Holder()
  const layer = await cache.materialise(source, never, holder)
  const image = await layer.asImageLayer(never)
  flipBit(inTree(layer.relativePath, 'etc/config'))
  await expect(
    (async () => {
      for await (const chunk of await image.openTar()) void chunk
    })(),
  ).rejects.toMatchObject({ code: 'layer-changed' })
  expect(told).toHaveLength(1)
  holder.release()
  await make()
  expect(readFileSync(inTree(layer.relativePath, 'etc/config'), 'utf8')).toBe('right')
})

test('what an earlier process has found to be damaged is not used', async () => {
  const tree = await make()
  flipBit(inTree(tree, 'usr/lib/large'), 150_000)
  const id = idOf(tree)
  cache = await LayerDirectoryCache.open({ directory: cache.directory, resources, observer, damaged: [id] })
  await make()
  expect(readFileSync(inTree(tree, 'usr/lib/large'))[150_000]).toBe('z'.charCodeAt(0))
  // It is another one now.
  await make()
  expect(resources.opened).toHaveLength(2)
})
