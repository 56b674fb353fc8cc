import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { beforeEach, expect, it, vi } from 'vitest'
import { Unavailable } from '../../../base/errors.js'
import type { SweepReport } from '../../../isolation/isolation.js'
import { Janitor } from '../../../daemon/staging/janitor.js'
import { LiveContainers } from '../../../daemon/staging/live-containers.js'
import { FakeIsolation } from '../../support/fake-isolation.js'

let isolation: FakeIsolation
let live: LiveContainers
let logged: string[]
let janitor: Janitor

beforeEach(() => {
  isolation = new FakeIsolation()
  live = new LiveContainers()
  logged = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => logged.push(line) })
  janitor = new Janitor({ isolation, live, logger, everyMs: 5, lastSweepMs: 50 })
})

it('removes what nobody owns, and says so', async () => {
  const [forgotten, living] = [randomUUID(), randomUUID()]
  isolation.left.add(forgotten).add(living)
  live.add(living)
  await janitor.sweep()
  expect([...isolation.left]).toEqual([living])
  expect(logged.join('')).toContain(`swept what earlier launches had left`)
  expect(logged.join('')).toContain(forgotten)
})

it('looks again and again, and finds what the Engine has finished after the first sweep', async () => {
  const stop = new AbortController()
  const sweeping = janitor.keepSweeping(stop.signal)
  for (let late = 0; late < 3; late++) {
    isolation.left.add(randomUUID())
    await vi.waitFor(() => expect([...isolation.left]).toEqual([]), 10_000)
  }
  stop.abort()
  await sweeping
  isolation.left.add(randomUUID())
  await janitor.sweepForTheLastTime()
  expect([...isolation.left]).toEqual([])
})

it('goes on after a failure: an Engine that is down is not worth a word at every look', async () => {
  const stop = new AbortController()
  isolation.down = new Unavailable('engine-down', 'it is down')
  const failed = () => logged.filter((line) => line.includes('the next one tries again'))
  const sweeping = janitor.keepSweeping(stop.signal)
  await vi.waitFor(() => expect(failed().length).toBeGreaterThan(1), 10_000)
  expect(failed().every((line) => (JSON.parse(line) as { level: number }).level === 20)).toBe(true)
  isolation.left.add(randomUUID())
  isolation.down = undefined
  await vi.waitFor(() => expect([...isolation.left]).toEqual([]), 10_000)
  stop.abort()
  await sweeping
})

it('sweeps once at a time', async () => {
  let [atOnce, most] = [0, 0]
  vi.spyOn(isolation, 'sweep').mockImplementation(async (): Promise<SweepReport> => {
    most = Math.max(most, ++atOnce)
    await new Promise(setImmediate)
    atOnce -= 1
    return { removed: [], failures: [] }
  })
  await Promise.all([janitor.sweep(), janitor.trySweep(), janitor.sweepForTheLastTime()])
  expect(most).toBe(1)
})

it('does not wait for ever for an Engine that hangs when the daemon ends', async () => {
  let answer = (): void => undefined
  vi.spyOn(isolation, 'ping').mockReturnValue(new Promise((resolve) => (answer = resolve)))
  const sweep = vi.spyOn(isolation, 'sweep')
  await janitor.sweepForTheLastTime()
  // By then the host may be another daemon's.
  answer()
  await janitor.trySweep()
  expect(sweep).not.toHaveBeenCalled()
})
