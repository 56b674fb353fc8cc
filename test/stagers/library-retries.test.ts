import { readFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lossyProxy, type Loss } from '../support/lossy-proxy.js'
import { withConcurrentFixtures } from '../support/at-test-end.js'
import { openCoordinator } from '../support/open-coordinator.js'
import { directoryOf, packed, scratch } from '../support/small-trees.js'
import { type Call, callLibrary, LANGUAGES } from '../support/stager-library.js'

const NO_ANSWER: Loss = { answerAfter: 0 }
const NOISE = randomBytes(200_000)

// Most of the time, a library waits before it repeats a request.
describe.concurrent.each(LANGUAGES)('a request of the library in $language that got no answer', (language) => {
  withConcurrentFixtures()

  const open = async (losses: readonly Loss[]) => {
    const { handler, url } = await openCoordinator()
    const STAGER_URL = await lossyProxy(url, losses)
    return { handler, call: (...calls: Call[]) => callLibrary(language, { STAGER_URL }, ...calls) }
  }

  it.each<[string, Loss]>([
    ['it did not arrive', 'request'],
    ['its answer was lost', NO_ANSWER],
  ])('is repeated if that changes nothing: %s', async (_, loss) => {
    const root = await directoryOf({ 'app/noise': NOISE })
    for (const [call, effect] of [
      [['set_env', 'A', '1'], 'alter environment add'],
      [['put_data', root], 'replaced'],
    ] as const) {
      const { call: run, handler } = await open([loss])
      expect(await run(call, ['finish'])).toEqual({ exitCode: 0, output: '' })
      expect(handler.calls.filter((name) => name.startsWith(effect))).toHaveLength(loss === 'request' ? 1 : 2)
      expect(handler.calls.at(-1)).toBe('verdict done')
    }
  })

  it.each<[string, Call]>([
    ['done', ['finish']],
    ['relaunch', ['relaunch']],
    ['failed', ['fail', 'So it is.']],
  ])('is repeated for the verdict %s, which counts once', async (verdict, call) => {
    const { call: run, handler } = await open([NO_ANSWER])
    const { exitCode } = await run(call)
    expect(exitCode).toBe(verdict === 'failed' ? 1 : 0)
    expect(handler.calls).toEqual([`verdict ${verdict}`])
  })

  it('is repeated for data that arrived in part, which is not unpacked', async () => {
    const { call, handler } = await open([{ answerAfter: 100_000 }])
    handler.data = await packed({ 'app/noise': NOISE }, 'app')
    const directory = await scratch()
    expect(await call(['get_data', directory], ['finish'])).toEqual({ exitCode: 0, output: '' })
    expect((await readFile(join(directory, 'noise'))).equals(NOISE)).toBe(true)
    expect(handler.calls).toEqual(['open', 'open', 'verdict done'])
  })

  it('is not repeated for a snapshot, which would be of another moment', async () => {
    const { call, handler } = await open([NO_ANSWER])
    const { exitCode, output } = await call(['snapshot'], ['finish'])
    expect(exitCode).toBe(1)
    expect(output).toMatch(/^POST \/snapshot got no answer: ./)
    expect(handler.calls.map((name) => name.split(' ')[0])).toEqual(['snapshot', 'verdict'])
  })

  it('is given up after three attempts, and the stager says so', async () => {
    const { call, handler } = await open(['request', 'request', 'request'])
    const { exitCode, output } = await call(['set_env', 'A', '1'], ['finish'])
    expect(exitCode).toBe(1)
    expect(output).toMatch(/^PUT \/meta got no answer: ./)
    expect(handler.calls).toEqual(['verdict failed'])
  })
})
