import { describe, expect, it } from 'vitest'
import { EndMarks } from '../../../isolation/engine/end-marks.js'
import type { OutputStream } from '../../../isolation/isolation.js'

describe('the end marks of an output', () => {
  const reader = () => {
    const marks = new EndMarks()
    const seen = { stdout: '', stderr: '' }
    const output = (stream: OutputStream, chunk: Buffer) => {
      seen[stream] += chunk.toString()
      return Promise.resolve()
    }
    const push = (stream: OutputStream, text: string) => marks.filter(stream, Buffer.from(text), output)
    return { marks, seen, push, flush: () => marks.flush(output), end: `\x1e${marks.mark}` }
  }

  it('separate what the program has written from what comes later, wherever they are cut', async () => {
    for (let cut = 0; cut <= 40; cut++) {
      const { marks, seen, push, end } = reader()
      const text = `out${end}003later`
      await push('stdout', text.slice(0, cut))
      await push('stdout', text.slice(cut))
      await push('stderr', `${end}003`)
      expect(await marks.passed).toBe(3)
      expect(seen).toEqual({ stdout: 'out', stderr: '' })
    }
  })

  it('have no exit code while the program runs', async () => {
    const { marks, push, end } = reader()
    await push('stdout', `${end}999`)
    await push('stderr', `${end}999`)
    expect(await marks.passed).toBeUndefined()
  })

  it('are not what only begins like one', async () => {
    const { seen, push, flush, end } = reader()
    await push('stdout', `a\x1eb${end.slice(0, -1)}!\x1e`)
    await flush()
    expect(seen.stdout).toBe(`a\x1eb${end.slice(0, -1)}!\x1e`)
  })

  it('end the output when they are given up', async () => {
    const { marks, seen, push } = reader()
    await push('stdout', 'before')
    marks.close()
    await push('stdout', 'after')
    expect(seen.stdout).toBe('before')
  })
})
