import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OutputFrames } from '../../../isolation/engine/output-frames.js'

const frame = (stream: 'stdout' | 'stderr', data: Buffer) => {
  const header = Buffer.alloc(8)
  header.writeUInt8(stream === 'stdout' ? 1 : 2, 0)
  header.writeUInt32BE(data.length, 4)
  return Buffer.concat([header, data])
}

describe('the frames of output', () => {
  it('pass on a part of a payload before the rest arrives', () => {
    const frames = new OutputFrames()
    const bytes = frame('stderr', Buffer.from('hello'))
    expect(frames.push(bytes.subarray(0, 3))).toEqual([])
    expect(frames.push(bytes.subarray(3, 10)).map(({ data }) => data.toString())).toEqual(['he'])
    expect(frames.push(bytes.subarray(10))).toEqual([{ stream: 'stderr', data: Buffer.from('llo') }])
  })

  it('are decoded correctly at any chunk boundaries', () => {
    const outputs = fc.array(
      fc.record({
        stream: fc.constantFrom('stdout' as const, 'stderr' as const),
        data: fc.uint8Array({ maxLength: 50 }),
      }),
    )
    fc.assert(
      fc.property(outputs, fc.array(fc.integer({ min: 1, max: 30 })), (sent, cuts) => {
        let bytes = Buffer.concat(sent.map(({ stream, data }) => frame(stream, Buffer.from(data))))
        const frames = new OutputFrames()
        const got = { stdout: '', stderr: '' }
        for (const cut of [...cuts, Number.MAX_SAFE_INTEGER]) {
          for (const { stream, data } of frames.push(bytes.subarray(0, cut))) got[stream] += data.toString('hex')
          bytes = bytes.subarray(cut)
        }
        for (const name of ['stdout', 'stderr'] as const) {
          const expected = sent.filter(({ stream }) => stream === name)
          expect(got[name]).toBe(expected.map(({ data }) => Buffer.from(data).toString('hex')).join(''))
        }
      }),
    )
  })
})
