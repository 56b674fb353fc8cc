import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type Docker from 'dockerode'
import { extract } from 'tar-stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import type { Layer } from '../../../isolation/layers/layer.js'
import { collect } from '../../support/collect.js'
import { MemoryResources } from '../../support/memory-resources.js'
import { tarOf } from '../../support/tar-builder.js'
import { describeTree } from '../../support/trees.js'
import { OverlayScratch } from '../support/overlay.js'

const IMAGE = 'stagerd-test/layers'
let engine: Docker
let scratch: OverlayScratch

beforeEach(() => {
  engine = connectEngine()
  scratch = new OverlayScratch()
})

afterEach(async () => {
  scratch.remove()
  await engine
    .getImage(IMAGE)
    .remove({ force: true })
    .catch(() => undefined)
})

/** The names in a created container of an image of `layers` (bottom first), as the Engine lists them. */
async function namesInContainer(chain: readonly Layer[]): Promise<Map<string, string>> {
  const layers = await Promise.all(chain.map((layer) => layer.asImageLayer(new AbortController().signal)))
  const tars = await Promise.all(layers.map(async (layer) => await collect(await layer.openTar())))
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { Cmd: ['/none'] },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  })
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`
  const names = layers.map((_, index) => `${index}.tar`)
  const image = tarOf(
    { name: configName, data: config },
    {
      name: 'manifest.json',
      data: JSON.stringify([{ Config: configName, RepoTags: [`${IMAGE}:latest`], Layers: names }]),
    },
    ...tars.map((data, index) => ({ name: names[index]!, data })),
  )
  await collect(await engine.loadImage(Readable.from([image])))
  const container = await engine.createContainer({ Image: IMAGE, NetworkDisabled: true })
  try {
    const seen = new Map<string, string>()
    const reader = extract()
    reader.on('entry', ({ name, mode, uid, gid }, content, next) => {
      seen.set(name.replace(/\/$/, ''), `${(mode & 0o7777).toString(8)} ${uid}:${gid}`)
      content.on('end', next).resume()
    })
    await pipeline(await container.export(), reader)
    return seen
  } finally {
    await container.remove({ force: true })
  }
}

test('the tar of a layer names each directory before what is in it: containerd would make up its attributes', async () => {
  const resources = new MemoryResources()
  const cache = await LayerDirectoryCache.open({ directory: scratch.path('layers'), resources })
  const never = new AbortController().signal
  const long = 'd'.repeat(120)
  const layer = await cache.materialise(
    {
      name: 'upper',
      removals: [
        { kind: 'removed', path: 'srv/deep/gone' },
        { kind: 'opaque', path: 'opt' },
        { kind: 'removed', path: `${long}/gone` },
        { kind: 'removed', path: 'top' },
      ],
      sha256: resources.add(tarOf({ name: 'opt/', type: '5', mode: 0o755 }, { name: 'opt/new', data: 'new' })),
    },
    never,
  )
  const names: string[] = []
  const reader = extract()
  reader.on('entry', ({ name }, content, next) => {
    names.push(name.replace(/\/$/, ''))
    content.on('end', next).resume()
  })
  await pipeline(await (await layer.asImageLayer(never)).openTar(), reader)
  expect(names).toEqual(
    expect.arrayContaining(['srv/deep/.wh.gone', 'opt/.wh..wh..opq', `${long}/.wh.gone`, '.wh.top', 'opt/new']),
  )
  const early = names.filter((name, at) => name.includes('/') && !names.slice(0, at).includes(dirname(name)))
  expect(early).toEqual([])
})

test('an image of our layers shows the same as our overlay: whiteouts, opaque directories, attributes', async () => {
  const resources = new MemoryResources()
  const cache = await LayerDirectoryCache.open({ directory: scratch.path('layers'), resources })
  const never = new AbortController().signal
  const lower = await cache.materialise(
    {
      name: 'lower',
      removals: [],
      sha256: resources.add(
        tarOf(
          { name: 'opt/', type: '5', mode: 0o700, uid: 5, gid: 6 },
          { name: 'opt/old', data: 'old' },
          { name: 'srv/gone', data: 'gone' },
          { name: 'srv/kept', data: 'kept', mode: 0o4755 },
        ),
      ),
    },
    never,
  )
  const upper = await cache.materialise(
    {
      name: 'upper',
      removals: [
        { kind: 'opaque', path: 'opt' },
        { kind: 'removed', path: 'srv/gone' },
      ],
      sha256: resources.add(
        tarOf(
          { name: 'opt/', type: '5', mode: 0o750, uid: 7, gid: 8 },
          { name: 'opt/new', data: 'new' },
          { name: 'srv/', type: '5', mode: 0o711 },
          { name: 'srv/link', type: '2', linkName: '/nowhere' },
        ),
      ),
    },
    never,
  )
  const { merged } = scratch.mount([upper, lower].map(({ relativePath }) => join(cache.directory, relativePath)))
  const ours = Object.entries(describeTree(merged)).map(([path, text]) => [path, text.split(' ').slice(1, 3).join(' ')])
  const seen = await namesInContainer([lower, upper])
  const theirs = [...seen].filter(([path]) => /^(opt|srv)(\/|$)/.test(path))
  expect(Object.fromEntries(theirs)).toEqual(Object.fromEntries(ours))
})
