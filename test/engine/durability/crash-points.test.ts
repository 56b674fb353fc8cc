import { rm } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WatchedDisk } from '../../support/disk/watched-disk.js'
import { FILE_POINTS } from '../../support/durability/crash-points.js'
import { SocketClient } from '../../support/durability/engineless-daemon.js'
import { makeGarbage } from '../../support/durability/garbage.js'
import { KilledDaemon } from '../../support/durability/killed-daemon.js'
import { expectDurable, NodeUnderTest } from '../../support/durability/node-under-test.js'
import { until } from '../../support/until.js'
import { Workload, type Acknowledged } from '../../support/durability/workload.js'

/**
 * The daemon is killed at each point of the table, before it happens or after it in every second case. CRASHES sets how
 * many kills are made instead, at any of the changes that the operations make.
 */

const CRASHES = process.env['CRASHES'] === undefined ? undefined : Number(process.env['CRASHES'])
/** In milliseconds, on a busy host. */
const TIMEOUT = 240_000 + (CRASHES ?? 0) * 3_000

interface Moment {
  readonly point: string
  readonly nth: number
  readonly when: 'before' | 'after'
  readonly what: string
}

let disk: WatchedDisk
let daemon: KilledDaemon
let stateDir: string
let client: SocketClient | undefined

beforeAll(async () => {
  ;[disk, daemon] = await Promise.all([WatchedDisk.open(), KilledDaemon.compile()])
  stateDir = path.join(disk.path, 'state')
})
afterAll(async () => {
  await client?.close()
  await daemon.close()
  await disk.close()
})

async function start(): Promise<number> {
  const pid = daemon.spawn(stateDir)
  expect(await daemon.ready()).toBe(true)
  return pid
}

/** The last change of a staging is made when everybody is told of its end. */
const LAST_OF_STAGING = 'fsync state/logs/*.ndjson'

/** The names of what `work` changes, and how often. */
async function changesOf(asked: string, work: () => Promise<unknown>): Promise<Map<string, number>> {
  disk.plan()
  await work()
  if (asked === 'stage') await until('the log is durable', () => disk.report.points.includes(LAST_OF_STAGING))
  const counts = new Map<string, number>()
  for (const point of disk.report.points) counts.set(point, (counts.get(point) ?? 0) + 1)
  return counts
}

/** Blobs whose digests begin alike share a directory, so one more blob may need none. */
const isOfDirectory = (point: string) => isDirectory(point) || point === 'fsync state/blobs/sha256'

const isKilled = () => disk.report.happened !== undefined

const seen = new Set<string>()

/** Where to kill the daemon while it does `asked`. Throws if the table does not have what it changes. */
function moments(asked: string, changes: ReadonlyMap<string, number>, kills: number | undefined): Moment[] {
  const when = (index: number) => (index % 2 === 0 ? 'before' : 'after')
  const what = (port: string) => `${port}, asked to ${asked}`
  const inTable = FILE_POINTS.filter((one) => one.asked === asked)
  for (const { point } of inTable) seen.add(point)
  expect(
    [...changes.keys()].filter((point) => !seen.has(point)),
    'changes that are in no crash point',
  ).toEqual([])
  if (kills === undefined)
    return inTable.map(({ port, point, nth, what: detail }, index) => {
      const count = changes.get(point) ?? (isOfDirectory(point) ? 1 : 0)
      expect(count, `${point}, ${what(port)}`).toBeGreaterThanOrEqual(nth ?? 1)
      const of = detail === undefined ? port : `${port}: ${detail}`
      return { point, nth: nth ?? Math.ceil(count / 2), when: when(index), what: what(of) }
    })
  const all = [...changes].flatMap(([point, count]) =>
    Array.from({ length: count }, (_, nth) => ({ point, nth: nth + 1 })),
  )
  expect(all, what('any')).not.toEqual([])
  return Array.from({ length: kills }, (_, index) => ({
    ...all[Math.floor((index * all.length) / kills)]!,
    when: when(index),
    what: what('any'),
  }))
}

/** It is made once: it may be there before. */
const isDirectory = (point: string) => point.startsWith('mkdir ')

const sentence = ({ point, nth, when, what }: Moment) => `killed ${when} ${point} (${nth}), ${what}`

it(
  'kill -9 at each change of a start on an empty directory: the next start completes it',
  async () => {
    const changes = await changesOf('start', async () => {
      await start()
      await daemon.kill()
    })
    for (const moment of moments('start', changes, CRASHES && Math.ceil(CRASHES / 4))) {
      await rm(stateDir, { recursive: true, force: true })
      const pid = daemon.spawn(stateDir)
      disk.plan({ ...moment, then: { kill: pid, when: moment.when } })
      await daemon.ready()
      await daemon.kill()
      expect(disk.report.happened, sentence(moment)).toBe(moment.point)
      disk.plan()
      const node = await NodeUnderTest.open(stateDir)
      try {
        await node.expectDurable(sentence(moment))
      } finally {
        await node.close()
      }
    }
  },
  TIMEOUT,
)

it(
  'kill -9 at each change that a request makes: what was acknowledged is there, and nothing else',
  async () => {
    await rm(stateDir, { recursive: true, force: true })
    let pid = await start()
    const asking = (client = new SocketClient(daemon.socket))
    const acknowledged: Acknowledged[] = []
    const workload = new Workload(asking, (one) => void acknowledged.push(one))
    await workload.prepare()
    const names = Object.keys(workload.operations)
    for (const asked of names) {
      const work = () => workload.operations[asked]!()
      const needed = async () => void (asked === 'collect garbage' && (await makeGarbage(stateDir)))
      await needed()
      const changes = await changesOf(asked, work)
      for (const moment of moments(asked, changes, CRASHES && Math.ceil((CRASHES * 3) / 4 / names.length))) {
        if (isDirectory(moment.point) && !moment.point.includes('*'))
          await rm(path.join(disk.path, moment.point.slice('mkdir '.length)), { recursive: true, force: true })
        await needed()
        disk.plan({ ...moment, then: { kill: pid, when: moment.when } })
        // Of so many new blobs, one needs a new directory.
        for (let tries = 0; tries < (isOfDirectory(moment.point) ? 50 : 1) && !isKilled(); tries += 1)
          await work().catch(() => undefined)
        if (CRASHES === undefined) await until(sentence(moment), isKilled)
        if (!isKilled()) continue
        await daemon.gone()
        disk.plan()
        pid = await start()
        await expectDurable(sentence(moment), { client: asking, stateDir }, acknowledged)
      }
    }
  },
  TIMEOUT,
)
