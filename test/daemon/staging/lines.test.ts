import { describe, expect, it } from 'vitest'
import { LineSplitter, MAX_LINE_LENGTH } from '../../../daemon/staging/lines.js'
import { cpuMsOf } from '../../support/cpu-time.js'

/** The lines of `output`, which arrives in chunks of so many bytes. */
function linesOf(output: string | Buffer, size = Infinity): string[] {
  const bytes = Buffer.from(output)
  const splitter = new LineSplitter()
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += size) lines.push(...splitter.push(bytes.subarray(at, at + size)))
  return [...lines, ...splitter.end()]
}

/** Whether it can be written as UTF-8 without replacement. */
const isText = (line: string) => Buffer.from(line).toString() === line

describe('splitting output into lines', () => {
  it.each([1, 2, 3, Infinity])('does not depend on the chunk boundaries (%d bytes)', (size) => {
    const output = 'grüße 🎉\r\nzwei\n\n 10%\r100%\x1b[K\rdone\ndrei'
    expect(linesOf(output, size)).toEqual(['grüße 🎉', 'zwei', '', 'done', 'drei'])
  })

  it('splits at line feeds alone', () => {
    expect(linesOf('a\u2028b\u2029c\u0085d\ve\f\n')).toEqual(['a\u2028b\u2029c\u0085d\ve\f'])
  })

  it('splits a line that never ends', () => {
    const lines = linesOf(Buffer.alloc(MAX_LINE_LENGTH * 2 + 5, 'x'))
    expect(lines.map(({ length }) => length)).toEqual([MAX_LINE_LENGTH, MAX_LINE_LENGTH, 5])
  })

  it.each(['🎉', 'x🎉', 'grüße 🎉 '])('never cuts a character in half (%s, again and again)', (text) => {
    const output = text.repeat(MAX_LINE_LENGTH)
    for (const size of [Infinity, 4095]) {
      const lines = linesOf(output, size)
      expect(lines.length).toBeGreaterThan(1)
      expect(lines.filter((line) => !isText(line) || line.length > MAX_LINE_LENGTH)).toEqual([])
      expect(lines.join('')).toBe(output)
    }
  })

  it('replaces what is not UTF-8', () => {
    expect(linesOf(Buffer.from('a\xffb\nc\xf0\x9f', 'latin1'), 1)).toEqual(['a\ufffdb', 'c\ufffd'])
  })
})

describe('a line that is written over is kept as a terminal shows it', () => {
  it.each([
    ['a progress bar', ' 1%\r50%\r100%\n', '100%'],
    ['a carriage return at its end', '100%\r\r\n', '100%'],
    ['a shorter text', 'downloading\rdone\n', 'doneloading'],
    ['a shorter text that erases the rest', 'downloading\rdone\x1b[K\n', 'done'],
    ['a line that is erased first', 'downloading\x1b[2K\rdone\n', 'done'],
    ['an erased line alone', 'downloading\r\x1b[2K\n', ''],
    ['the column as a number', 'downloading\x1b[1G\x1b[0Kdone\n', 'done'],
    ['backspaces', '10%\b\b\b20%\b\b\b\b\b30%\n', '30%'],
    ['steps to the left and to the right', 'abcdef\x1b[3DX\x1b[1CY\n', 'abcXeY'],
    ['colours', '\x1b[32m10%\x1b[0m\r\x1b[32m20%\x1b[0m\n', '\x1b[0m\x1b[32m20%\x1b[0m'],
    ['characters beyond the basic plane', '🎉🎉🎉\r🦀\n', '🦀🎉🎉'],
    ['output that ends without a line feed', '10%\r20%\r', '20%'],
    ['a step far to the right', 'a\x1b[999999999Gb\r\x1b[Kc\n', 'c'],
  ])('%s', (_, output, expected) => {
    for (const size of [1, Infinity]) expect(linesOf(output, size)).toEqual([expected])
  })

  it('and does not grow with the number of its states', () => {
    const splitter = new LineSplitter()
    const state = (n: number) => `${String(n).padStart(7)} of 2000000 ${'#'.repeat(60)}`
    const early: string[] = []
    for (let n = 1; n <= 100_000; n++) early.push(...splitter.push(Buffer.from(`${state(n)}\r`)))
    expect(early).toEqual([])
    expect(splitter.push(Buffer.from('\n'))).toEqual([state(100_000)])
  })

  it('and the cursor stays where it was when its states are dropped', () => {
    const states = '\x1b[31mabc\r'.repeat(20_000)
    expect(linesOf(`${states}xyzuvw\r12`, 1000)).toEqual(['12zuvw'])
    expect(linesOf(`${states}x`, 1000)).toEqual(['xbc'])
  })

  it.each([
    ['erases its beginning', `${'x'.repeat(16_000)}${'\x1b[1K'.repeat(60_000)}`],
    ['writes far to the right', '\x1b[2K\x1b[4096Gx'.repeat(20_000)],
  ])('and costs no more than other output when it %s, over and over', async (_, output) => {
    expect(await cpuMsOf(() => linesOf(output, 65_536))).toBeLessThan(400)
  })

  it('and is split if it is too long all the same', () => {
    const long = 'y'.repeat(MAX_LINE_LENGTH * 5)
    const lines = linesOf(`x\r${long}\rz`, 5000)
    expect(lines.filter(({ length }) => length > MAX_LINE_LENGTH)).toEqual([])
    expect(lines.join('')).toHaveLength(long.length)
  })
})
