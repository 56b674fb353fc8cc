import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import { chooseCompressor } from '../../../isolation/archive/compressor.js'
import { takeSnapshot } from '../../../isolation/snapshot/snapshot.js'
import { collect } from '../../support/collect.js'
import { lawRun } from '../../support/law-run.js'
import { MemoryResources } from '../../support/memory-resources.js'
import { at, describeTree, linkGroups, makeTree, type TreeSpec } from '../../support/trees.js'
import { OverlayScratch } from '../support/overlay.js'

/**
 * LAW: for any sequence of operations, the lower layers with the snapshot as a layer on top show the same tree. For any
 * two sequences, so do both snapshots on top of each other.
 */
type Operation =
  | { readonly do: 'write'; readonly path: string; readonly content: string }
  | { readonly do: 'mkdir' | 'remove' | 'remake'; readonly path: string }
  | { readonly do: 'rename' | 'link' | 'symlink' | 'copy'; readonly path: string; readonly to: string }
  | { readonly do: 'chmod'; readonly path: string; readonly mode: number }
  | { readonly do: 'chown'; readonly path: string; readonly owner: number }
  | { readonly do: 'touch'; readonly path: string; readonly mtime: number }
  | { readonly do: 'extend'; readonly path: string; readonly length: number }

// Few names, so that operations affect the same files; some are unusual.
const name = fc.constantFrom('a', 'a', 'b', 'b', 'c-d', '\n', '\xff')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ do: fc.constant('write' as const), path, content: fc.string({ maxLength: 20 }) }),
  fc.record({ do: fc.constantFrom('mkdir' as const, 'remove' as const, 'remake' as const), path }),
  fc.record({
    do: fc.constantFrom('rename' as const, 'link' as const, 'symlink' as const, 'copy' as const),
    path,
    to: path,
  }),
  fc.record({ do: fc.constant('chmod' as const), path, mode: fc.integer({ min: 0, max: 0o7777 }) }),
  fc.record({ do: fc.constant('chown' as const), path, owner: fc.integer({ min: 0, max: 2 ** 31 - 1 }) }),
  fc.record({ do: fc.constant('touch' as const), path, mtime: fc.integer({ min: -(2 ** 31), max: 2 ** 33 }) }),
  fc.record({ do: fc.constant('extend' as const), path, length: fc.constantFrom(1, 4096, 5000, 3_000_000) }),
)

/** The initial tree. */
const BASE: TreeSpec = {
  a: { directory: true },
  'a/a': { directory: true },
  'a/a/a': { file: 'aaa' },
  'a/a/b': { file: 'aab' },
  'a/b': { file: 'ab' },
  'a/c-d': { link: 'a/b' },
  b: { directory: true },
  'b/a': { directory: true },
  'b/a/b': { symlink: '../../a' },
  'b/b': { directory: true },
  'b/b/a': { file: 'bba' },
  'c-d': { symlink: 'a' },
}

const operations = fc.array(operation, { minLength: 1, maxLength: 25 })

function perform(root: string, operation: Operation): void {
  const place = at(root, operation.path)
  switch (operation.do) {
    case 'write':
      writeFileSync(place, operation.content)
      break
    case 'mkdir':
      mkdirSync(place)
      break
    case 'remove':
      rm(place)
      break
    case 'remake':
      rm(place)
      mkdirSync(place)
      break
    case 'rename':
      shell('mv -T -- "$1" "$2"', place, at(root, operation.to))
      break
    case 'copy':
      shell('cp -aT -- "$1" "$2"', place, at(root, operation.to))
      break
    case 'link':
      linkSync(place, at(root, operation.to))
      break
    case 'symlink':
      symlinkSync(Buffer.from(operation.to, 'latin1'), place)
      break
    case 'chmod':
      chmodSync(place, operation.mode)
      break
    case 'chown':
      lchownSync(place, operation.owner, operation.owner)
      break
    case 'touch':
      lutimesSync(place, operation.mtime, operation.mtime)
      break
    case 'extend':
      truncateSync(place, operation.length)
      break
  }
}

/** Names are bytes, but arguments in Node.js are strings, so the names go to standard input. */
function shell(script: string, ...paths: Buffer[]): void {
  const input = Buffer.concat(paths.flatMap((path) => [path, Buffer.from('\0')]))
  execFileSync('xargs', ['-0', 'sh', '-c', script, 'sh'], { input, stdio: ['pipe', 'ignore', 'ignore'] })
}

function rm(place: Buffer): void {
  shell('rm -rf -- "$1"', place)
}

/** Runs an operation and ignores its failure, as a stager may. Operations never follow links out of the tree. */
function performAll(root: string, all: readonly Operation[]): void {
  for (const each of all) {
    try {
      perform(root, each)
    } catch {
      // Expected errors: no such file, a directory, not a directory.
    }
  }
}

const law = lawRun({ runs: 40, msPerRun: 1000 })

test('LAW: lower layers and snapshots together show the same tree', { timeout: law.timeout }, async () => {
  const compressor = await chooseCompressor()
  await fc.assert(
    fc.asyncProperty(operations, operations, operations, async (before, first, second) => {
      const scratch = new OverlayScratch()
      try {
        const resources = new MemoryResources()
        const cache = await LayerDirectoryCache.open({ directory: scratch.path('layers'), resources })
        const base = scratch.path('base')
        makeTree(base, BASE)
        performAll(base, before)

        const lower = [base]
        for (const changes of [first, second]) {
          const { merged, upper } = scratch.mount(lower)
          performAll(merged, changes)
          const taken = await takeSnapshot({ upper, lowers: lower, compressor }, collect)
          const layer = await cache.materialise(
            { sha256: resources.add(taken.written), removals: taken.removals, name: 'snapshot' },
            new AbortController().signal,
          )
          const again = scratch.mount([join(cache.directory, layer.relativePath), ...lower]).merged
          expect(describeTree(again)).toEqual(describeTree(merged))
          for (const group of linkGroups(upper)) expect(linkGroups(again)).toContainEqual(group)
          // The Engine gets the same bytes each time.
          await (await layer.asImageLayer(new AbortController().signal)).openTar().then(collect)
          lower.unshift(join(cache.directory, layer.relativePath))
        }
      } finally {
        scratch.remove()
      }
    }),
    law.parameters,
  )
})
