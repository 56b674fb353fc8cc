import { expect, it } from 'vitest'
import { printableLine, printableText } from '../../cli/display/printable.js'

it('ends colours with the line', () => {
  expect(printableLine('\x1b[31mred')).toBe('\x1b[31mred\x1b[0m')
  expect(printableLine('plain')).toBe('plain')
})

it.each([
  ['\x1b]0;title\x07', '\\x1b]0;title\\x07'],
  ['\x1b[2J', '\\x1b[2J'],
  ['\x9b6n', '\\x9b6n'],
  ['over\rwritten', 'over\\x0dwritten'],
  // Shown from right to left: "exe.txt".
  ['\u202etxt.exe\u202c', '\\u202etxt.exe\\u202c'],
  ['\u2067a\u2069', '\\u2067a\\u2069'],
  ['one\u2028line', 'one\\u2028line'],
])('escapes the control sequence of %j', (text, shown) => {
  expect(printableLine(text)).toBe(shown)
  expect(printableText(`a\n${text}\nb`)).toBe(`a\n${shown}\nb`)
})

it('keeps the lines of a text, also those of other systems', () => {
  const text = 'one\n\n\ttwo\r\nthree\n'
  expect(printableText(text)).toBe(text)
})

it('ends the colours of each line of a text, so that none hides those that follow', () => {
  expect(printableText('name: \x1b[8mhidden\nstate: ready\n')).toBe('name: \x1b[8mhidden\x1b[0m\nstate: ready\n')
})

it('keeps the marks of texts from right to left', () => {
  expect(printableLine('\u200fשלום\u200e')).toBe('\u200fשלום\u200e')
})
