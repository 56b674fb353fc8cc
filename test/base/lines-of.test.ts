import { expect, it } from 'vitest'
import { linesOf } from '../../base/lines-of.js'

it.each([1, 2, 5, 1000])('lines end at line feeds alone, wherever the chunks end (%d bytes)', async (size) => {
  const bytes = Buffer.from('grüße 🎉\n\na\u2028b\u2029c\u0085d\re\r\nlast\nnot complete')
  const chunks = async function* () {
    for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size))
  }
  const lines: string[] = []
  for await (const line of linesOf(chunks())) lines.push(line)
  expect(lines).toEqual(['grüße 🎉', '', 'a\u2028b\u2029c\u0085d\re\r', 'last'])
})
