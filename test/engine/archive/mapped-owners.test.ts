import { chownSync, lchownSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { chooseCompressor } from '../../../isolation/archive/compressor.js'
import { IdMap } from '../../../isolation/archive/id-map.js'
import type { MappedOwners } from '../../../isolation/archive/mapped-owners.js'
import { tarList, writeTar } from '../../../isolation/archive/tar-writer.js'
import { unpackArchive } from '../../../isolation/archive/unpack.js'
import { makeUserNamespace } from '../../../isolation/host/user-namespace.js'
import { takeSnapshot } from '../../../isolation/snapshot/snapshot.js'
import { collect } from '../../support/collect.js'
import { TEST_LIMITS } from '../../support/test-limits.js'
import { tarOf } from '../../support/tar-builder.js'
import { makeTree } from '../../support/trees.js'
import { OverlayScratch } from '../support/overlay.js'

const never = new AbortController().signal
let scratch: OverlayScratch
let tree: string
let owners: MappedOwners

beforeEach(async () => {
  scratch = new OverlayScratch()
  tree = scratch.path('tree')
  makeTree(tree, {})
  const [uids, gids] = [IdMap.parse('0 300000 1000\n1000 500000 64536\n'), IdMap.parse('0 700000 65536\n')]
  owners = { uids, gids, namespace: await makeUserNamespace(uids.text, gids.text) }
})
afterEach(() => scratch.remove())

const ownerOf = (path: string) => {
  const { uid, gid } = lstatSync(join(tree, path))
  return [uid, gid]
}

test('an archive is unpacked with the owners of the map, and archived again as it was', async () => {
  const archive = tarOf(
    { name: 'bin/', type: '5', mode: 0o750, uid: 0, gid: 42 },
    { name: 'bin/su', mode: 0o4755, data: 'su' },
    { name: 'bin/user', mode: 0o640, uid: 1500, gid: 1500, data: 'user' },
    { name: 'bin/link', type: '2', linkName: 'user', uid: 999, gid: 65_534 },
    { name: 'bin/again', type: '1', linkName: 'bin/user', uid: 1500, gid: 1500 },
    { name: 'implied/file', uid: 65_534, gid: 0 },
  )
  const request = { directory: tree, limits: TEST_LIMITS, whiteouts: ['gone'], signal: never }
  await unpackArchive(Readable.from([archive]), { ...request, owners })
  const paths = ['bin', 'bin/su', 'bin/user', 'bin/link', 'implied', 'implied/file', 'gone', '']
  expect(Object.fromEntries(paths.map((path) => [path, ownerOf(path)]))).toEqual({
    bin: [300_000, 700_042],
    'bin/su': [300_000, 700_000],
    'bin/user': [500_500, 701_500],
    'bin/link': [300_999, 765_534],
    implied: [300_000, 700_000],
    'implied/file': [564_534, 700_000],
    gone: [300_000, 700_000],
    '': [300_000, 700_000],
  })
  expect(lstatSync(join(tree, 'bin/su')).mode & 0o7777).toBe(0o4755)

  const unmapped = scratch.path('unmapped')
  makeTree(unmapped, {})
  await unpackArchive(Readable.from([archive]), { ...request, directory: unmapped })
  const list = () => tarList(['bin', 'bin/again', 'bin/link', 'bin/su', 'bin/user', 'implied', 'implied/file'])
  const again = await collect(writeTar({ tree, list: list(), sparse: true, owners }))
  expect(again.equals(await collect(writeTar({ tree: unmapped, list: list(), sparse: true })))).toBe(true)
})

test('a snapshot of what belongs to no id of the map is refused: an archive would name another owner', async () => {
  makeTree(tree, { 'a-link': { symlink: 'nowhere' }, known: { file: 'known' }, strange: { file: 'strange' } })
  chownSync(tree, 300_000, 700_000)
  const belongTo = (uid: number, gid: number) => chownSync(join(tree, 'strange'), uid, gid)
  for (const path of ['a-link', 'known']) lchownSync(join(tree, path), 564_535, 765_535)
  const compressor = await chooseCompressor()
  const snapshot = () => takeSnapshot({ upper: tree, compressor, owners }, collect)
  for (const [uid, gid] of [
    [0, 700_000],
    [301_000, 700_000],
    [564_536, 700_000],
    [300_000, 65_534],
  ] as const) {
    belongTo(uid, gid)
    await expect(snapshot()).rejects.toMatchObject({ code: 'bad-owner' })
    await expect(snapshot()).rejects.toThrow('the owner of "/strange" is out of range')
  }
  belongTo(300_000, 700_000)
  expect((await snapshot()).entries).toBe(3)
})
