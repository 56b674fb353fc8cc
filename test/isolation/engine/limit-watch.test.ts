import { expect, test } from 'vitest'
import { Conflict, Fault } from '../../../base/errors.js'
import { LimitWatch, type LimitProbe } from '../../../isolation/engine/limit-watch.js'

const LIMITS = { memoryBytes: 1, cpus: 1, pids: 10, diskBytes: 1000, timeoutMs: Infinity }

/** The watch of a container within its limits, on filesystems with 50 000 bytes in use. */
function watch(probe: Partial<LimitProbe>): LimitWatch {
  return new LimitWatch(
    {
      counts: () => Promise.resolve({ forksRefused: 0, oomKills: 0 }),
      eventFiles: [],
      filesystemUseBefore: 50_000,
      filesystemUse: () => Promise.resolve(50_000),
      ownUse: () => Promise.resolve(0),
      ...probe,
    },
    LIMITS,
  )
}

const grownBy = (bytes: number) => () => Promise.resolve(50_000 + bytes)

test('a container within its limits is neither ended nor measured', async () => {
  const never = () => Promise.reject(new Error('it was frozen'))
  expect(await watch({ filesystemUse: grownBy(100), ownUse: never }).look()).toBeUndefined()
})

test('data of others does not count', async () => {
  expect(await watch({ filesystemUse: grownBy(90_000) }).look()).toBeUndefined()
})

test('memory takes precedence over processes, and both over the disk', async () => {
  const full = { filesystemUse: grownBy(5000), ownUse: () => Promise.resolve(5000) }
  const counts = (forksRefused: number, oomKills: number) => () => Promise.resolve({ forksRefused, oomKills })
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
