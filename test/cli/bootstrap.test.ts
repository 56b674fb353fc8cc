import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RealApi } from './support/real-api.js'

let real: RealApi
beforeAll(async () => {
  real = await RealApi.open()
})
afterAll(() => real.close())

describe('stagectl bootstrap', () => {
  test('follows the work to its end', async () => {
    const { code, io } = await real.run(['bootstrap'])
    expect([code, io.out]).toEqual([0, '[bootstrap] Complete: 0 made, 2 there already.\n'])
  })

  test('gives the result as one document', async () => {
    const { code, io } = await real.run(['bootstrap', 'nodejs', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(io.out)).toMatchObject({
      state: 'succeeded',
      pipelines: ['nodejs'],
      items: [{ name: 'job::/apcera::nodejs', state: 'current' }],
    })
  })

  test('refuses a pipeline that does not ship, and names those that do', async () => {
    const { code, io } = await real.run(['bootstrap', 'cobol'])
    expect([code, io.err]).toEqual([4, expect.stringContaining('choose from bash, nodejs')])
  })

  test('does not mix what excludes each other', async () => {
    for (const wrong of [
      ['nodejs', '--from', 'x.cntmp'],
      ['--cancel', 'nodejs'],
      ['--to', 'x', '--detach'],
    ])
      expect((await real.run(['bootstrap', ...wrong])).code, wrong.join(' ')).toBe(2)
  })

  test('has nothing to cancel when nothing runs', async () => {
    const { code, io } = await real.run(['bootstrap', '--cancel'])
    expect([code, io.out]).toEqual([0, 'No bootstrap is running.\n'])
  })
})
