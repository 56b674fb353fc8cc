import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Holder } from '../../../base/leases.js'
import type { Removal } from '../../../isolation/launch-plan.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import type { Layer } from '../../../isolation/layers/layer.js'
import { collect } from '../../support/collect.js'
import { MemoryResources } from '../../support/memory-resources.js'
import { tarOf } from '../../support/tar-builder.js'
import { describeTree } from '../../support/trees.js'
import { OverlayScratch } from '../support/overlay.js'
import { listTar } from '../support/list-tar.js'

const never = new AbortController().signal
let scratch: OverlayScratch
let resources: MemoryResources
let cache: LayerDirectoryCache

beforeEach(async () => {
  scratch = new OverlayScratch()
  resources = new MemoryResources()
  cache = await LayerDirectoryCache.open({ directory: scratch.path('layers'), resources })
})

afterEach(() => scratch.remove())

const base = tarOf(
  { name: 'etc/', type: '5' },
  { name: 'etc/keep', data: 'keep' },
  { name: 'etc/gone', data: 'gone' },
  { name: 'opt/', type: '5' },
  { name: 'opt/old', data: 'old' },
  { name: 'opt/sub/', type: '5' },
  { name: 'opt/sub/older', data: 'older' },
  { name: 'srv', data: 'a file' },
)
const change = gzipSync(
  tarOf(
    { name: 'etc/', type: '5', mtime: 1_111_111_111 },
    { name: 'opt/', type: '5', mtime: 1_222_222_222 },
    { name: 'opt/new', data: 'new' },
  ),
)
const removals: Removal[] = [
  { kind: 'removed', path: 'etc/gone' },
  { kind: 'opaque', path: 'opt' },
  // No whiteouts below /opt: an opaque directory hides everything, and a whiteout in it would be listed as an entry.
  { kind: 'removed', path: 'opt/sub/older' },
  { kind: 'removed', path: 'srv' },
]
const layer = (archive: Buffer, gone: readonly Removal[] = []) =>
  cache.materialise({ sha256: resources.add(archive), removals: gone, name: 'test' }, never)

test('over another layer, whiteouts hide files and opaque directories replace directories', async () => {
  const [lower, upper] = [await layer(base), await layer(change, removals)]
  const { merged } = scratch.mount([upper, lower].map(({ relativePath }) => join(cache.directory, relativePath)))
  const seen = describeTree(merged)
  expect(Object.keys(seen)).toEqual(['etc', 'etc/keep', 'opt', 'opt/new'])
  expect(seen['etc']).toContain(' 1111111111000000000')
  expect(seen['opt']).toContain(' 1222222222000000000')
})

test('its tar has the same content in the OCI layer format, and matches the digest', async () => {
  const made = await (await layer(change, removals)).asImageLayer(never)
  const tar = await collect(await made.openTar())
  expect(made.tarLength).toBe(tar.length)
  expect(made.diffId).toBe(`sha256:${createHash('sha256').update(tar).digest('hex')}`)
  expect(listTar(tar).trim().split('\n')).toEqual([
    'etc/',
    'opt/',
    '.wh.srv',
    'etc/.wh.gone',
    'opt/.wh..wh..opq',
    'opt/new',
  ])
})

test('its tar has every time that an Engine keeps, and the latest of them for what is later', async () => {
  const made = await layer(
    tarOf(
      { name: 'early', pax: { mtime: '-1.5' } },
      { name: 'late', pax: { mtime: '9000000000' } },
      { name: 'later', pax: { mtime: '9500000000' } },
    ),
  )
  const tar = await collect(await (await made.asImageLayer(never)).openTar())
  const times = [...tar.toString('latin1').matchAll(/ mtime=(\S+)\n/g)].map(([, time]) => time)
  expect(times).toEqual(['-1.5', '9000000000', '9223372036'])
})

test('two caches create the same layer from the same data, however it is compressed', async () => {
  const other = await LayerDirectoryCache.open({ directory: scratch.path('other'), resources })
  const one = await layer(change, removals)
  const two = await other.materialise({ sha256: resources.add(change), removals, name: 'test' }, never)
  const plain = await other.materialise(
    { sha256: resources.add(execFileSync('gzip', ['-d', '-c'], { input: change })), removals, name: 'test' },
    never,
  )
  const images = await Promise.all([one, two, plain].map((each) => each.asImageLayer(never)))
  expect(new Set(images.map(({ diffId }) => diffId)).size).toBe(1)
  expect(one.relativePath).toBe(two.relativePath)
  expect(plain.relativePath).not.toBe(two.relativePath)
})

test('concurrent requests share one extraction, and its result is kept', async () => {
  const source = { sha256: resources.add(base), removals: [], name: 'test' }
  const layers = await Promise.all(Array.from({ length: 20 }, () => cache.materialise(source, never)))
  expect(new Set(layers.map(({ relativePath }) => relativePath)).size).toBe(1)
  expect(resources.opened).toHaveLength(1)
  const again = await LayerDirectoryCache.open({ directory: cache.directory, resources })
  expect(await again.materialise(source, never)).toMatchObject({ relativePath: layers[0]!.relativePath })
  expect(resources.opened).toHaveLength(1)
})

test('several layers are unpacked concurrently', async () => {
  const sources = [base, change].map((archive) => ({ sha256: resources.add(archive), removals: [], name: 'test' }))
  // Each waits for the other: if they ran one after the other, they would never end.
  const waiting: (() => void)[] = []
  const meeting = {
    open: async (sha256: string) => {
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
        if (waiting.length === sources.length) for (const go of waiting) go()
      })
      return await resources.open(sha256)
    },
  }
  const other = await LayerDirectoryCache.open({ directory: scratch.path('other'), resources: meeting })
  const layers = await Promise.all([...sources, ...sources].map((source) => other.materialise(source, never)))
  expect(new Set(layers.map(({ relativePath }) => relativePath)).size).toBe(2)
  expect(resources.opened).toHaveLength(2)
})

describe('the digest of a layer', () => {
  const besides = (made: Layer) => readdirSync(join(cache.directory, made.relativePath, '..')).sort()

  test('is not computed for an overlay, and only once for several roots', async () => {
    const made = await layer(base)
    expect(besides(made)).toEqual(['layer.json', 'paths', 'tree'])
    const images = await Promise.all(Array.from({ length: 20 }, () => made.asImageLayer(never)))
    expect(new Set(images).size).toBe(1)
    expect(besides(made)).toEqual(['engine-tar.json', 'layer.json', 'paths', 'tree'])
  })

  test('is kept', async () => {
    const made = await layer(base)
    const { diffId, tarLength } = await made.asImageLayer(never)
    const kept = join(cache.directory, made.relativePath, '../engine-tar.json')
    expect(JSON.parse(readFileSync(kept, 'utf8'))).toEqual({ diffId, tarLength })
    writeFileSync(kept, JSON.stringify({ diffId, tarLength: tarLength + 1 }))
    const again = await LayerDirectoryCache.open({ directory: cache.directory, resources })
    const found = await again.materialise({ sha256: resources.add(base), removals: [], name: 'test' }, never)
    expect(await found.asImageLayer(never)).toMatchObject({ diffId, tarLength: tarLength + 1 })
  })

  test('is computed again when its file is damaged', async () => {
    const made = await layer(base)
    const { diffId } = await made.asImageLayer(never)
    writeFileSync(join(cache.directory, made.relativePath, '../engine-tar.json'), '{"diffId":')
    expect(await made.asImageLayer(never)).toMatchObject({ diffId })
  })

  test('is aborted when no caller waits for it any more, and leaves nothing', async () => {
    const made = await layer(base)
    const leaving = new AbortController()
    const left = made.asImageLayer(leaving.signal)
    setImmediate(() => leaving.abort(new Error('no more')))
    await expect(left).rejects.toThrow('no more')
    await expect(made.asImageLayer(never)).resolves.toBeDefined()
    expect(besides(made)).toEqual(['engine-tar.json', 'layer.json', 'paths', 'tree'])
  })
})

test('an aborted caller does not affect the others; the last one aborts the extraction', async () => {
  const source = { sha256: resources.add(base), removals: [], name: 'test' }
  const [leaving, alone] = [new AbortController(), new AbortController()]
  const left = cache.materialise(source, leaving.signal)
  const staying = cache.materialise(source, never)
  leaving.abort(new Error('no more'))
  await expect(left).rejects.toThrow('no more')
  await expect(staying).resolves.toBeDefined()

  const other = cache.materialise({ ...source, sha256: resources.add(change) }, alone.signal)
  alone.abort(new Error('no more'))
  await expect(other).rejects.toThrow('no more')
  await expect.poll(() => readdirSync(cache.directory).filter((name) => name.startsWith('new-'))).toEqual([])
})

test('a rejected package leaves nothing', async () => {
  await expect(layer(tarOf({ name: '../escaped' }))).rejects.toMatchObject({ code: 'archive-refused' })
  expect(readdirSync(cache.directory)).toEqual([])
  expect(readdirSync(scratch.root)).toEqual(['layers'])
})

test('incomplete layers of a crash are removed at the next start', async () => {
  mkdirSync(join(cache.directory, 'new-0123'))
  writeFileSync(join(cache.directory, 'new-0123', 'layer.json'), '{}')
  await LayerDirectoryCache.open({ directory: cache.directory, resources })
  expect(readdirSync(cache.directory)).toEqual([])
})

test('incomplete digests of a crash are removed too: a digest gets its name when it is complete', async () => {
  const made = await layer(base)
  const seen = new Set<string | null>()
  const watcher = watch(join(cache.directory, made.relativePath, '..'), (_, name) => seen.add(name))
  try {
    await made.asImageLayer(never)
    await expect.poll(() => [...seen]).toContain('engine-tar.json')
    expect([...seen]).toEqual(['engine-tar.json'])
  } finally {
    watcher.close()
  }
  expect(readdirSync(cache.directory).map((name) => `${name}/tree`)).toEqual([made.relativePath])
})

test('a layer of another format is removed, and other directories are kept', async () => {
  mkdirSync(join(cache.directory, '0123456789abcdef'))
  writeFileSync(
    join(cache.directory, '0123456789abcdef', 'layer.json'),
    JSON.stringify({ key: 'old', diffId: 'sha256:0', tarLength: 1, bytes: 1, whiteouts: [], opaque: [] }),
  )
  mkdirSync(join(cache.directory, 'lost+found'))
  expect(await cache.list()).toEqual([])
  const { relativePath } = await layer(base)
  await LayerDirectoryCache.open({ directory: cache.directory, resources })
  expect(readdirSync(cache.directory).map((name) => `${name}/tree`)).toEqual([relativePath, 'lost+found/tree'].sort())
})

test('a tree that was changed on disk is never exported', async () => {
  const made = await layer(base)
  const image = await made.asImageLayer(never)
  writeFileSync(join(cache.directory, made.relativePath, 'etc/keep'), 'tampered')
  await expect(image.openTar().then(collect)).rejects.toMatchObject({ code: 'layer-changed' })
})

test.each(['/', '../etc', 'a/../b', '', 'tab\t', '100%', '.wh.x'])('the removal of %j is refused', async (path) => {
  await expect(layer(base, [{ kind: 'removed', path }])).rejects.toMatchObject({ code: 'bad-removal' })
})

test('names of removals may contain any bytes', async () => {
  const made = await layer(base, [
    { kind: 'removed', path: 'opt/%FF%0A %25' },
    { kind: 'removed', path: `opt/${'n'.repeat(200)}` },
  ])
  const tree = describeTree(join(cache.directory, made.relativePath))
  expect(tree['opt/\xff\n %']).toBe('other 20000 0')
  const names = listTar(await collect(await (await made.asImageLayer(never)).openTar()))
  expect(names).toContain('opt/.wh.\xff\n %\n')
  expect(names).toContain(`opt/.wh.${'n'.repeat(200)}\n`)
})

test('a layer in use is not discarded, and a discarded one is built again', async () => {
  const source = { sha256: resources.add(base), removals: [], name: 'test' }
  const launch = new Holder()
  await cache.materialise(source, never, launch)
  const [found] = await cache.list()
  expect(found).toMatchObject({ kind: 'layer', inUse: true })
  expect(Date.now() - found!.usedAt.getTime()).toBeLessThan(60_000)
  expect(await cache.discard(found!.id)).toBe(false)

  launch.release()
  expect(await cache.list()).toMatchObject([{ inUse: false }])
  expect(await cache.discard(found!.id)).toBe(true)
  expect(readdirSync(cache.directory)).toEqual([])
  expect((await cache.materialise(source, never)).relativePath).toBe(`${found!.id}/tree`)
})

test('with continuous discarding, no caller gets a missing layer', async () => {
  const source = { sha256: resources.add(base), removals: [], name: 'test' }
  const done = new AbortController()
  const discarding = (async () => {
    while (!done.signal.aborted) {
      for (const { id } of await cache.list()) await cache.discard(id)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  for (let launch = 0; launch < 30; launch++) {
    const holder = new Holder()
    const made = await cache.materialise(source, never, holder)
    expect(readdirSync(join(cache.directory, made.relativePath))).toContain('etc')
    holder.release()
    await new Promise((resolve) => setImmediate(resolve))
  }
  done.abort()
  await discarding
})

test('a layer whose directory was removed is built again', async () => {
  const made = await layer(base)
  const { diffId } = await made.asImageLayer(never)
  rmSync(cache.directory, { recursive: true })
  const again = await layer(base)
  expect((await again.asImageLayer(never)).diffId).toBe(diffId)
  expect(readdirSync(join(cache.directory, again.relativePath)).sort()).toEqual(['etc', 'opt', 'srv'])
})
