import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
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

afterEach(() => {
  vi.useRealTimers()
})

it('removes and logs what no launch or run owns', async () => {
  const [forgotten, living] = [randomUUID(), randomUUID()]
  isolation.left.add(forgotten).add(living)
  live.add(living)
  await janitor.sweep()
  expect([...isolation.left]).toEqual([living])
  expect(logged.join('')).toContain('removed what earlier launches left behind')
  expect(logged.join('')).toContain(forgotten)
})

it('sweeps periodically, and finds what the Engine completes after the first sweep', async () => {
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

it('continues after a failure, and logs an Engine that is down at debug level only', async () => {
  const stop = new AbortController()
  isolation.down = new Unavailable('engine-down', 'it is down')
  const failed = () => logged.filter((line) => line.includes('the next one retries'))
  const sweeping = janitor.keepSweeping(stop.signal)
  await vi.waitFor(() => expect(failed().length).toBeGreaterThan(1), 10_000)
  expect(failed().every((line) => (JSON.parse(line) as { level: number }).level === 20)).toBe(true)
  isolation.left.add(randomUUID())
  isolation.down = undefined
  await vi.waitFor(() => expect([...isolation.left]).toEqual([]), 10_000)
  stop.abort()
  await sweeping
})

it('retries at growing intervals, whatever the error, until a sweep succeeds', async () => {
  vi.useFakeTimers()
  const sweep = vi.spyOn(janitor, 'sweep')
  sweep.mockRejectedValueOnce(new Unavailable('engine-down', 'it is down'))
  sweep.mockRejectedValueOnce(new TypeError('no such property'))
  const swept = janitor.sweepOnceEngineIsBack(new AbortController().signal)
  for (const [pauseMs, attempts] of [
    [0, 1],
    [249, 1],
    [1, 2],
    [499, 2],
    [1, 3],
  ] as const) {
    await vi.advanceTimersByTimeAsync(pauseMs)
    expect(sweep).toHaveBeenCalledTimes(attempts)
  }
  await swept
})

it('stops retrying when it is aborted', async () => {
  const stop = new AbortController()
  isolation.down = new Unavailable('engine-down', 'it is down')
  const swept = janitor.sweepOnceEngineIsBack(stop.signal)
  await vi.waitFor(() => expect(logged.join('')).toContain('waiting for the Docker Engine'), 10_000)
  stop.abort(new Error('the daemon ends'))
  await expect(swept).rejects.toThrow('the daemon ends')
})

it('runs one sweep at a time', async () => {
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

it('does not wait for an Engine that hangs when the daemon ends', async () => {
  let answer = (): void => undefined
  vi.spyOn(isolation, 'ping').mockReturnValue(new Promise((resolve) => (answer = resolve)))
  const sweep = vi.spyOn(isolation, 'sweep')
  await janitor.sweepForTheLastTime()
  // The host may belong to another daemon by then.
  answer()
  await janitor.trySweep()
  expect(sweep).not.toHaveBeenCalled()
})

it('waits before the last sweep for what has been told to end', async () => {
  const ending = randomUUID()
  isolation.left.add(ending)
  live.add(ending)
  const swept = janitor.sweepForTheLastTime()
  isolation.left.delete(ending)
  live.delete(ending)
  await swept
  expect(logged.join('')).not.toContain(ending)
})

it('sweeps at last what does not end in time, although it lives', async () => {
  const loading = randomUUID()
  isolation.left.add(loading)
  live.add(loading)
  await janitor.sweepForTheLastTime()
  expect([...isolation.left]).toEqual([])
})
