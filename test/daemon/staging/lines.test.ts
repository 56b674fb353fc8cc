import { describe, expect, it } from 'vitest'
import { LineSplitter, MAX_LINE_LENGTH } from '../../../daemon/staging/lines.js'

describe('splitting output into lines', () => {
  it('does not depend on the chunk boundaries', () => {
    const bytes = Buffer.from('grüße\r\nzwei\n\ndrei')
    const splitter = new LineSplitter()
    const lines = [...bytes].flatMap((byte) => splitter.push(Buffer.from([byte])))
    expect([...lines, ...splitter.end()]).toEqual(['grüße', 'zwei', '', 'drei'])
  })

  it('splits a line that never ends', () => {
    const splitter = new LineSplitter()
    const lines = splitter.push(Buffer.alloc(MAX_LINE_LENGTH * 2 + 5, 'x'))
    expect([...lines, ...splitter.end()].map(({ length }) => length)).toEqual([MAX_LINE_LENGTH, MAX_LINE_LENGTH, 5])
  })
})
