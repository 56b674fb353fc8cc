import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeRemovalPath, encodeRemovalPath } from '../../isolation/removal-path.js'
import { layerId, layerKey } from '../../isolation/layers/layer-key.js'

const segment = fc
  .array(
    fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f),
    { minLength: 1, maxLength: 20 },
  )
  .map((bytes) => String.fromCharCode(...bytes))
  .filter((name) => name !== '.' && name !== '..' && !name.startsWith('.wh.'))
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'))

test('LAW: a path of any bytes is encoded as printable ASCII, and decoded to the same bytes', () => {
  fc.assert(
    fc.property(path, (bytes) => {
      const text = encodeRemovalPath(bytes)
      expect(text).toMatch(/^[\x20-\x7e]+$/)
      expect(decodeRemovalPath({ kind: 'removed', path: text })).toBe(bytes)
    }),
  )
})

test('ordinary paths are not changed', () => {
  expect(encodeRemovalPath('usr/lib/python 3/~x')).toBe('usr/lib/python 3/~x')
})

test('the key of a layer depends only on its content', () => {
  const removals = [
    { kind: 'removed', path: 'b' },
    { kind: 'opaque', path: 'a' },
  ] as const
  const key = layerKey({ sha256: 'ab', removals })
  expect(layerKey({ sha256: 'ab', removals: removals.toReversed() })).toBe(key)
  expect(layerKey({ sha256: 'ab', removals: [] })).not.toBe(key)
  expect(layerId(key)).toMatch(/^[0-9a-z]{16}$/)
})
