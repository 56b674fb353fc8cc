import { expect, test } from 'vitest'
import { IdMap } from '../../../isolation/archive/id-map.js'

// As /proc/PID/uid_map shows it: in columns.
const TEXT = `         0     300000       1000
      1000     500000      64536
     70000     900000          1
`
const map = IdMap.parse(TEXT)

test.each([
  { inside: 0, outside: 300_000 },
  { inside: 999, outside: 300_999 },
  { inside: 1000, outside: 500_000 },
  { inside: 65_535, outside: 564_535 },
  { inside: 70_000, outside: 900_000 },
])('a map of several ranges takes $inside to $outside, and back', ({ inside, outside }) => {
  expect(map.outside(inside)).toBe(outside)
  expect(map.inside(outside)).toBe(inside)
})

test.each([65_536, 69_999, 70_001, 2 ** 31])('the id %i between and above the ranges stands for nothing', (id) => {
  expect(map.outside(id)).toBeUndefined()
})

test.each([0, 299_999, 301_000, 564_536, 900_001])('the id %i of the host has no name inside', (id) => {
  expect(map.inside(id)).toBeUndefined()
})

test('a map is written as the kernel takes it, and its ids are told without the seams', () => {
  expect(map.text).toBe('0 300000 1000\n1000 500000 64536\n70000 900000 1\n')
  expect(IdMap.parse(map.text)).toEqual(map)
  expect(map.insideInWords).toBe('0 to 65535, 70000 to 70000')
})
