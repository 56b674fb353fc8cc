import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Conflict, Fault, Unavailable } from '../../../base/errors.js'
import type { Limits } from '../../../isolation/launch-plan.js'
import { LimitWatch, type LimitProbe } from '../../../isolation/engine/limit-watch.js'

const LIMITS = { memoryBytes: 1, cpus: 1, pids: 10, diskBytes: 1000, timeoutMs: Infinity }

/** The watch of a container within its limits, on filesystems with 50 000 bytes in use. Retries take no time. */
function watch(probe: Partial<LimitProbe>, limits: Partial<Limits> = {}): LimitWatch {
  return new LimitWatch(
    {
      counts: () => ({ forksRefused: 0, oomKills: 0 }),
      wasOutOfMemory: () => Promise.resolve(false),
      eventFiles: [],
      filesystemUseBefore: 50_000,
      filesystemUse: () => Promise.resolve(50_000),
      ownUse: () => Promise.resolve(0),
      ...probe,
    },
    { ...LIMITS, ...limits },
    0,
  )
}

const grownBy = (bytes: number) => () => Promise.resolve(50_000 + bytes)
const FAILED = new Fault('process-failed', 'du failed.')
const broken = () => Promise.reject(FAILED)
const unreadable = (): never => {
  throw FAILED
}
const UNKNOWN = { kind: 'limits-unknown', error: { code: 'process-failed' } }

test('a container within its limits is neither ended nor measured', async () => {
  const never = () => Promise.reject(new Error('it was frozen'))
  expect(await watch({ filesystemUse: grownBy(100), ownUse: never }).look()).toBeUndefined()
})

test('data of others does not count', async () => {
  expect(await watch({ filesystemUse: grownBy(90_000) }).look()).toBeUndefined()
})

test('memory takes precedence over processes, and both over the disk', async () => {
  const full = { filesystemUse: grownBy(5000), ownUse: () => Promise.resolve(5000) }
  const counts = (forksRefused: number, oomKills: number) => () => ({ forksRefused, oomKills })
  expect(await watch({ ...full, counts: counts(1, 1) }).look()).toMatchObject({ kind: 'out-of-memory' })
  expect(await watch({ ...full, counts: counts(1, 0) }).look()).toMatchObject({ kind: 'pids-limit' })
  expect(await watch(full).look()).toEqual({ kind: 'disk-full', usedBytes: 5000, limitBytes: 1000 })
})

test('if the container cannot be frozen and measured, all growth of the filesystems counts', async () => {
  const ownUse = () => Promise.reject(new Fault('cannot-freeze', 'The cgroup is read-only.'))
  expect(await watch({ ownUse, filesystemUse: grownBy(900) }).look()).toBeUndefined()
  expect(await watch({ ownUse, filesystemUse: grownBy(1001) }).look()).toMatchObject({ kind: 'disk-full' })
})

test('a container that is already being ended does not fail for its disk use', async () => {
  const ownUse = () => Promise.reject(new Conflict('container-ending', 'It is too late for that.'))
  expect(await watch({ ownUse, filesystemUse: grownBy(5000) }).look()).toBeUndefined()
})

test('a container whose use cannot be measured is ended at the third failure, once it may have exceeded its limit', async () => {
  const within = watch({ ownUse: broken, filesystemUse: grownBy(1000) })
  for (let check = 0; check < 10; check++) expect(await within.look()).toBeUndefined()
  const beyond = watch({ ownUse: broken, filesystemUse: grownBy(1001) })
  expect(await beyond.look()).toBeUndefined()
  expect(await beyond.look()).toBeUndefined()
  expect(await beyond.look()).toMatchObject(UNKNOWN)
})

test.each([
  ['the use of the filesystems', { filesystemUse: broken }],
  ['the counters', { counts: unreadable }],
])('a container is ended where %s cannot be read three times in a row', async (_, probe) => {
  const watched = watch(probe)
  expect([await watched.look(), await watched.look()]).toEqual([undefined, undefined])
  expect(await watched.look()).toMatchObject(UNKNOWN)
})

test('failures count only in a row', async () => {
  let reads = 0
  const counts = () => (++reads % 3 === 0 ? { forksRefused: 0, oomKills: 0 } : unreadable())
  const watched = watch({ counts })
  for (let check = 0; check < 12; check++) expect(await watched.look()).toBeUndefined()
})

test('slow measurements freeze the container for a quarter of its time, whoever writes to the disk', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  let [used, frozen] = [50_000, 0]
  const watched = watch({
    filesystemUse: () => Promise.resolve((used += 5000)),
    ownUse: (took) => {
      vi.advanceTimersByTime(3_000)
      frozen += 3_000
      took(3_000)
      return Promise.resolve(10)
    },
  })
  const began = performance.now()
  while (performance.now() - began < 600_000) {
    expect(await watched.look()).toBeUndefined()
    vi.advanceTimersByTime(100)
  }
  expect(frozen / 600_000).toBeGreaterThan(0.2)
  expect(frozen / 600_000).toBeLessThan(0.26)
})

test('the nearer a container can be to its limit at the next check, the sooner that is', async () => {
  let used = 50_000
  const watched = watch({ filesystemUse: () => Promise.resolve(used) }, { diskBytes: 4e9 })
  expect(watched.intervalMs).toBe(500)
  used += 1.2e9
  await watched.look()
  expect(watched.intervalMs).toBe(200)
  used += 0.7e9
  await watched.look()
  expect(watched.intervalMs).toBe(100)
  expect(watch({}, { diskBytes: 1000 }).intervalMs).toBe(100)
})

describe('a decision', () => {
  test('measures at once, even if the container was frozen just now', async () => {
    let uses = [10, 5000]
    const ownUse = (took: (ms: number) => void) => {
      took(60_000)
      const [next = 0, ...rest] = uses
      uses = rest
      return Promise.resolve(next)
    }
    let used = 50_000
    const watched = watch({ ownUse, filesystemUse: () => Promise.resolve((used += 2000)) })
    expect(await watched.look()).toBeUndefined()
    expect(await watched.look()).toBeUndefined()
    expect(await watched.decide()).toMatchObject({ kind: 'disk-full', usedBytes: 5000 })
  })

  test('measures too where others have deleted so much that they may have hidden what it wrote', async () => {
    const full = { filesystemUse: grownBy(-800), ownUse: () => Promise.resolve(5000) }
    expect(await watch(full).look()).toBeUndefined()
    expect(await watch(full).decide()).toMatchObject({ kind: 'disk-full', usedBytes: 5000 })
  })

  test('repeats what fails, and is not taken without an answer', async () => {
    let reads = 0
    const counts = () => (++reads < 3 ? unreadable() : { forksRefused: 1, oomKills: 0 })
    expect(await watch({ counts }).decide()).toMatchObject({ kind: 'pids-limit' })
    expect(await watch({ counts: unreadable }).decide()).toMatchObject(UNKNOWN)
  })

  test('is taken in the end, whatever the periodic checks find out meanwhile', async () => {
    const ownUse = (took: (ms: number) => void) => {
      // The next periodic check will not freeze the container so soon, and has nothing to complain about.
      took(60_000)
      void watched.look()
      return broken()
    }
    const watched: LimitWatch = watch({ ownUse, filesystemUse: grownBy(5000) })
    expect(await watched.decide()).toMatchObject(UNKNOWN)
  })

  test('is not taken for granted where the Engine cannot tell of a want of memory', async () => {
    const wasOutOfMemory = () => Promise.reject(new Unavailable('engine-down', 'It does not answer.'))
    const lost = { kind: 'limits-unknown', error: { code: 'engine-down' } }
    expect(await watch({ counts: () => undefined, wasOutOfMemory }).decide()).toMatchObject(lost)
  })

  test('asks the Engine when the counters have gone with the container', async () => {
    const counts = () => undefined
    expect(await watch({ counts }).decide()).toBeUndefined()
    expect(await watch({ counts, wasOutOfMemory: () => Promise.resolve(true) }).decide()).toMatchObject({
      kind: 'out-of-memory',
    })
  })
})
