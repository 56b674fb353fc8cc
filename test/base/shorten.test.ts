import { expect, it } from 'vitest'
import { headOf, shorten, tailOf } from '../../base/shorten.js'

it.each([
  ['abc', 2, 'ab', 'bc'],
  ['abc', 3, 'abc', 'abc'],
  ['abc', 9, 'abc', 'abc'],
  ['🎉🎉', 2, '🎉', '🎉'],
  ['🎉🎉', 3, '🎉', '🎉'],
  ['🎉🎉', 1, '', ''],
  ['', 1, '', ''],
])('head and tail of %j with %d units are text', (text, length, head, tail) => {
  expect([headOf(text, length), tailOf(text, length)]).toEqual([head, tail])
})

it('a text is shortened only if it is too long', () => {
  expect([shorten('abcdef', 6), shorten('abcdefg', 6), shorten('ab🎉🎉🎉', 6)]).toEqual(['abcdef', 'abc...', 'ab...'])
})
