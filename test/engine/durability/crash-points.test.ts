import { rm } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WatchedDisk } from '../../support/disk/watched-disk.js'
import { SocketClient } from '../../support/durability/engineless-daemon.js'
import { KilledDaemon } from '../../support/durability/killed-daemon.js'
import { NodeUnderTest, wrongsOf } from '../../support/durability/node-under-test.js'
import { Workload, type Acknowledged } from '../../support/durability/workload.js'

/**
 * The daemon is killed at each of the changes that it makes to its files, once: before one with this name, or after it in
 * every second case. CRASHES sets how many kills are made instead, at any of the changes.
 */

const CRASHES = process.env['CRASHES'] === undefined ? undefined : Number(process.env['CRASHES'])
/** In milliseconds, on a busy host. */
const TIMEOUT = 240_000 + (CRASHES ?? 0) * 3_000

let disk: WatchedDisk
let daemon: KilledDaemon
let stateDir: string
let client: SocketClient
let workload: Workload
let acknowledged: Acknowledged[]

beforeAll(async () => {
  disk = await WatchedDisk.open()
  daemon = await KilledDaemon.compile()
  stateDir = path.join(disk.path, 'state')
})
afterAll(async () => {
  await client.close()
  await daemon.close()
  await disk.close()
})

async function start(): Promise<number> {
  const pid = daemon.spawn(stateDir)
  expect(await daemon.ready()).toBe(true)
  return pid
}

async function begin(): Promise<number> {
  await rm(stateDir, { recursive: true, force: true })
  const pid = await start()
  client = new SocketClient(daemon.socket)
  acknowledged = []
  workload = new Workload(client, (one) => void acknowledged.push(one))
  await workload.prepare()
  return pid
}

/** The names of what `work` changes, and how often. */
async function pointsOf(work: () => Promise<unknown>): Promise<Map<string, number>> {
  disk.plan()
  await work()
  const counts = new Map<string, number>()
  for (const point of disk.report.points) counts.set(point, (counts.get(point) ?? 0) + 1)
  return counts
}

/** Those at which no other operation was killed; transactions are of each operation. */
function unseen(points: Map<string, number>, seen: Set<string>): Map<string, number> {
  const left = [...points].filter(([point]) => point.endsWith('stagerd.db-wal') || !seen.has(point))
  for (const [point] of left) seen.add(point)
  return new Map(left)
}

async function restartAndCheck(what: string): Promise<number> {
  disk.plan()
  const pid = await start()
  expect(await wrongsOf({ client, stateDir }, acknowledged), what).toEqual([])
  return pid
}

/** Some kills at points of `work`, each at another moment. */
function* moments(points: ReadonlyMap<string, number>, kills: number | undefined) {
  const when = (index: number) => (index % 2 === 0 ? 'before' : 'after')
  if (kills === undefined) {
    let index = 0
    for (const [point, count] of points) yield { point, nth: 1 + Math.floor(count / 2), when: when(index++) } as const
    return
  }
  const all = [...points].flatMap(([point, count]) =>
    Array.from({ length: count }, (_, nth) => ({ point, nth: nth + 1 })),
  )
  for (let index = 0; index < kills; index += 1)
    yield { ...all[Math.floor((index * all.length) / kills)]!, when: when(index) } as const
}

it(
  'kill -9 at each change of a start on an empty directory: the next start completes it',
  async () => {
    const points = await pointsOf(async () => {
      await start()
      await daemon.kill()
    })
    expect(points.size).toBeGreaterThan(10)
    for (const { point, nth, when } of moments(points, CRASHES && Math.ceil(CRASHES / 4))) {
      await rm(stateDir, { recursive: true })
      const pid = daemon.spawn(stateDir)
      disk.plan({ point, nth, then: { kill: pid, when } })
      await daemon.ready()
      await daemon.kill()
      disk.plan()
      const node = await NodeUnderTest.open(stateDir)
      expect(await node.wrongs(), `killed ${when} ${point} (${nth})`).toEqual([])
      await node.close()
    }
  },
  TIMEOUT,
)

it(
  'kill -9 at each change that a request makes: what was acknowledged is there, and nothing else',
  async () => {
    let pid = await begin()
    const names = Object.keys(workload.operations)
    const seen = new Set<string>()
    const kills = CRASHES && Math.ceil((CRASHES * 3) / 4 / names.length)
    for (const name of names) {
      const work = () => workload.operations[name]!()
      const all = await pointsOf(work)
      const points = kills === undefined ? unseen(all, seen) : all
      for (const { point, nth, when } of moments(points, kills)) {
        const what = `killed ${when} ${point} (${nth}), asked to ${name}`
        disk.plan({ point, nth, then: { kill: pid, when } })
        await work().catch(() => undefined)
        if (disk.report.happened === undefined) continue
        await daemon.gone()
        pid = await restartAndCheck(what)
      }
    }
  },
  TIMEOUT,
)
