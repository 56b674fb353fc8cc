import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Compressor, chooseCompressor } from '../../../isolation/archive/compressor.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import { takeSnapshot } from '../../../isolation/snapshot/snapshot.js'
import { collect } from '../../support/collect.js'
import { MemoryResources } from '../../support/memory-resources.js'
import { makeTree, type TreeSpec } from '../../support/trees.js'
import { BELOW } from '../support/below.js'
import { listTar } from '../support/list-tar.js'
import { OverlayScratch } from '../support/overlay.js'

const MORE: TreeSpec = {
  'etc/mtab': { symlink: '/proc/mounts' },
  ...Object.fromEntries(
    ['with-parent', 'again', 'file', 'made'].flatMap((parent) => [
      [parent, { directory: true }],
      [`${parent}/app`, { directory: true }],
    ]),
  ),
}

let scratch: OverlayScratch
let compressor: Compressor
/** Of the stager that runs, topmost first. */
let lowers: readonly string[]
let merged: string
let upper: string

beforeEach(async () => {
  scratch = new OverlayScratch()
  compressor = await chooseCompressor()
  lowers = [scratch.path('lower')]
  makeTree(lowers[0]!, { ...BELOW, ...MORE })
  ;({ merged, upper } = scratch.mount(lowers))
})
afterEach(() => scratch.remove())

const inside = (path: string) => join(merged, path)
const remove = (path: string) => rmSync(inside(path), { recursive: true })
const snapshot = (directory?: string) => takeSnapshot({ upper, lowers, directory, compressor }, collect)

/** Has a stager begin with what this one leaves. */
async function nextStager(): Promise<void> {
  const { written, removals } = await snapshot()
  const resources = new MemoryResources()
  const cache = await LayerDirectoryCache.open({ directory: scratch.path('layers'), resources })
  const source = { sha256: resources.add(written), removals, name: 'snapshot' }
  const { relativePath } = await cache.materialise(source, new AbortController().signal)
  lowers = [join(cache.directory, relativePath), ...lowers]
  ;({ merged, upper } = scratch.mount(lowers))
}

test('a snapshot of a directory that an earlier stager has removed is rejected, however it did that', async () => {
  remove('opt/app')
  remove('with-parent')
  remove('again')
  mkdirSync(inside('again'))
  remove('file')
  writeFileSync(inside('file'), '')
  remove('made/app')
  mkdirSync(inside('made/app'))
  await nextStager()
  for (const directory of ['opt/app', 'with-parent/app', 'again/app', 'file/app'])
    await expect(snapshot(directory), directory).rejects.toMatchObject({ code: 'bad-directory' })
  remove('made/app')
  expect(await snapshot('made/app')).toMatchObject({ removals: [{ kind: 'removed', path: 'made/app' }] })
})

test('the link of the Engine is in no snapshot, where an earlier stager has removed the one of a package', async () => {
  remove('etc/mtab')
  await nextStager()
  symlinkSync('/proc/mounts', inside('etc/mtab'))
  expect(listTar((await snapshot()).written, '--gzip')).toBe('etc/\n')
})
