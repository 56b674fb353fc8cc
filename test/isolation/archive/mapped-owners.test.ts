import { describe, expect, test } from 'vitest'
import { IdMap } from '../../../isolation/archive/id-map.js'
import { ownerInside, rootOnDisk } from '../../../isolation/archive/mapped-owners.js'
import { TarParser } from '../../../isolation/archive/tar-parser.js'
import { layerKey } from '../../../isolation/layers/layer-key.js'
import { TEST_LIMITS } from '../../support/test-limits.js'
import { tarOf, type TarMember } from '../../support/tar-builder.js'

const owners = {
  uids: IdMap.parse('0 300000 1000\n1000 500000 64536\n'),
  gids: IdMap.parse('0 700000 100\n'),
  namespace: '/proc/self/ns/user',
}

describe('an archive for an Engine with mapped owners', () => {
  const read = (member: TarMember, parser = new TarParser(TEST_LIMITS, undefined, owners)) => {
    parser.push(tarOf(member))
    parser.finish()
  }

  test.each([
    { member: { name: 'etc/shadow', uid: 65_536 }, why: 'its owner 65536 is not among the ids 0 to 65535' },
    { member: { name: 'etc/shadow', gid: 100 }, why: 'its group 100 is not among the ids 0 to 99' },
    { member: { name: 'etc/shadow', pax: { uid: '70000' } }, why: 'its owner 70000 is not among' },
    { member: { name: 'etc/shadow', type: '2', linkName: 'x', uid: 70_000 }, why: 'its owner 70000 is not among' },
  ])('is refused by the name of the entry, because $why', ({ member, why }) => {
    expect(() => read(member)).toThrow(expect.objectContaining({ code: 'owner-not-mapped' }))
    expect(() => read(member)).toThrow(`Entry "etc/shadow" is refused: ${why}`)
    expect(() => read(member)).toThrow('give the Engine more ids in /etc/subuid and /etc/subgid')
  })

  test('can have every owner of the map, and any other where the Engine maps none', () => {
    read({ name: 'f', uid: 65_535, gid: 99 })
    read({ name: 'f', uid: 2 ** 31 - 1, gid: 70_000 }, new TarParser(TEST_LIMITS))
  })
})

test('the root of containers and other owners on the disk have their ids by map', () => {
  expect(rootOnDisk(owners)).toEqual({ uid: 300_000, gid: 700_000 })
  expect(rootOnDisk(undefined)).toEqual({ uid: 0, gid: 0 })
  expect(ownerInside({ uid: 500_500, gid: 700_042 }, owners)).toEqual({ uid: 1500, gid: 42 })
  expect(ownerInside({ uid: 0, gid: 700_042 }, owners)).toBeUndefined()
  expect(ownerInside({ uid: 7, gid: 8 }, undefined)).toEqual({ uid: 7, gid: 8 })
})

test('a layer is another one for other owners', () => {
  const content = { sha256: 'ab', removals: [] }
  const other = { ...owners, gids: IdMap.parse('0 700001 100\n') }
  expect(new Set([layerKey(content), layerKey(content, owners), layerKey(content, other)]).size).toBe(3)
  expect(layerKey(content, { ...owners, namespace: '/proc/1/ns/user' })).toBe(layerKey(content, owners))
})
