import { readdir, readFile, rm } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { connectToEngine, type BenchHost } from './host.js'
import { HeldLaunch } from './held-launch.js'
import { limitRowOf, median, type Row } from './row.js'
import { makeSmallPackage } from './subjects.js'
import { alteredCopy, settled, type Tarball } from './tarball.js'
import { download, upload } from './transfers.js'
import { UnixHttp } from './unix-http.js'

const LAUNCHES = 8

/**
 * Eight uploads and eight downloads at once, of as many launches, and small requests meanwhile.
 *
 * @param pipeline of a stager that waits
 */
export async function manyAtOnce(host: BenchHost, pipeline: string, tarball: Tarball): Promise<Row[]> {
  const launches: HeldLaunch[] = []
  const tarballs: Tarball[] = []
  try {
    for (let i = 0; i < LAUNCHES; i++) {
      await makeSmallPackage(host, `many-${i}`)
      const names = { package: `many-${i}`, pipeline }
      launches.push(await HeldLaunch.start(new UnixHttp(host.socket), connectToEngine(), names))
    }
    for (const { url } of launches) await upload(url, tarball.path, tarball.digest)
    for (let i = 0; i < LAUNCHES; i++) tarballs.push(await alteredCopy(tarball, String(i)))
    await settled()
    const before = await memoryOf(host.daemonPid)
    const over = new AbortController()
    let highest = { daemon: 0, all: 0 }
    const asked: number[] = []
    const watch = (async () => {
      for (let turn = 0; !over.signal.aborted; turn++) {
        const { daemon, all } = await memoryOf(host.daemonPid)
        highest = { daemon: Math.max(highest.daemon, daemon), all: Math.max(highest.all, all) }
        asked.push((await launches[turn % LAUNCHES]?.ask('GET', 'meta')) ?? 0)
        await setTimeout(20)
      }
    })()
    const [uploads, downloads] = await Promise.all([
      Promise.all(tarballs.map(({ path, digest }, i) => upload(launches[i]?.url ?? '', path, digest))),
      Promise.all(launches.map(({ url }) => download(`${url}/data`))),
    ])
    over.abort()
    await watch
    const work = 'eight uploads and eight downloads of 256 MiB at once'
    const slowest = (times: number[]) => [{ ours: Math.max(...times), other: median(times) }]
    return [
      limitRowOf({ work: `${work}: memory of the daemon`, beside: 'before', limit: 200, unit: 'MiB' }, [
        { ours: highest.daemon, other: before.daemon },
      ]),
      limitRowOf({ work: `${work}: and of its processes`, beside: 'before', limit: 200, unit: 'MiB' }, [
        { ours: highest.all, other: before.all },
      ]),
      limitRowOf({ work: `${work}: GET /meta, slowest`, beside: 'median', limit: 1000, unit: 'ms' }, slowest(asked)),
      limitRowOf(
        { work: `${work}: slowest upload`, beside: 'median', limit: 1.5 * median(uploads), unit: 'ms' },
        slowest(uploads),
      ),
      limitRowOf(
        { work: `${work}: slowest download`, beside: 'median', limit: 1.5 * median(downloads), unit: 'ms' },
        slowest(downloads),
      ),
    ]
  } finally {
    for (const launch of launches) await launch.end()
    for (const { path } of tarballs) await rm(path)
  }
}

interface Memory {
  /** What is resident of the daemon, in MiB. */
  readonly daemon: number
  /** That, and the share of each process that sends or filters for it: a page that several have counts once. */
  readonly all: number
}

async function memoryOf(daemonPid: number): Promise<Memory> {
  const helpers = await descendantsOf(daemonPid)
  const [daemon, ...others] = await Promise.all([
    mebibytesIn(`/proc/${daemonPid}/status`, /^VmRSS:\s+(\d+) kB$/m),
    ...helpers.map((pid) => mebibytesIn(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB$/m)),
  ])
  return { daemon, all: others.reduce((sum, each) => sum + each, daemon) }
}

async function mebibytesIn(file: string, pattern: RegExp): Promise<number> {
  return Number(pattern.exec(await textOf(file))?.[1] ?? 0) / 1024
}

/** The kernel lists children by the thread that made them. */
async function descendantsOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const lists = await Promise.all(threads.map((thread) => textOf(`/proc/${pid}/task/${thread}/children`)))
  const children = lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
  return [...children, ...(await Promise.all(children.map(descendantsOf))).flat()]
}

/** Empty when the process has ended. */
function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '')
}
