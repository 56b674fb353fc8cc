import { readdir, readFile, rm } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { connectToEngine, type BenchHost } from './host.js'
import { WaitingLaunch } from './waiting-launch.js'
import { limitRowOf, median, type Row } from './row.js'
import { createSmallPackage } from './fixtures.js'
import { copyWithNewDigest, syncDisks, type Tarball } from './tarball.js'
import { download, upload } from './transfers.js'
import { UnixHttp } from './unix-http.js'

const LAUNCHES = 8

/**
 * Measures eight concurrent uploads and eight concurrent downloads by eight launches, and small requests meanwhile.
 *
 * @param pipeline a pipeline with a waiting stager
 */
export async function concurrentTransfers(host: BenchHost, pipeline: string, tarball: Tarball): Promise<Row[]> {
  const launches: WaitingLaunch[] = []
  const tarballs: Tarball[] = []
  try {
    for (let i = 0; i < LAUNCHES; i++) {
      await createSmallPackage(host, `many-${i}`)
      const names = { package: `many-${i}`, pipeline }
      launches.push(await WaitingLaunch.start(new UnixHttp(host.socket), connectToEngine(), names))
    }
    for (const { url } of launches) await upload(url, tarball.path, tarball.digest)
    for (let i = 0; i < LAUNCHES; i++) tarballs.push(await copyWithNewDigest(tarball, String(i)))
    await syncDisks()
    const before = await memoryOf(host.daemonPid)
    const finished = new AbortController()
    let peak = { daemon: 0, all: 0 }
    const latencies: number[] = []
    const watch = (async () => {
      for (let turn = 0; !finished.signal.aborted; turn++) {
        const { daemon, all } = await memoryOf(host.daemonPid)
        peak = { daemon: Math.max(peak.daemon, daemon), all: Math.max(peak.all, all) }
        latencies.push((await launches[turn % LAUNCHES]?.request('GET', 'meta')) ?? 0)
        await setTimeout(20)
      }
    })()
    const [uploads, downloads] = await Promise.all([
      Promise.all(tarballs.map(({ path, digest }, i) => upload(launches[i]?.url ?? '', path, digest))),
      Promise.all(launches.map(({ url }) => download(`${url}/data`))),
    ])
    finished.abort()
    await watch
    const work = 'eight uploads and eight downloads of 256 MiB at once'
    const slowest = (times: number[]) => [{ ours: Math.max(...times), other: median(times) }]
    return [
      limitRowOf({ work: `${work}: memory of the daemon`, beside: 'before', limit: 200, unit: 'MiB' }, [
        { ours: peak.daemon, other: before.daemon },
      ]),
      limitRowOf({ work: `${work}: and of its processes`, beside: 'before', limit: 200, unit: 'MiB' }, [
        { ours: peak.all, other: before.all },
      ]),
      limitRowOf(
        { work: `${work}: GET /meta, slowest`, beside: 'median', limit: 1000, unit: 'ms' },
        slowest(latencies),
      ),
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
  /** Resident memory of the daemon, in MiB. */
  readonly daemon: number
  /** That, plus the proportional set size (PSS) of its child processes, which counts shared pages once. */
  readonly all: number
}

async function memoryOf(daemonPid: number): Promise<Memory> {
  const helpers = await listDescendants(daemonPid)
  const [daemon, ...others] = await Promise.all([
    mebibytesIn(`/proc/${daemonPid}/status`, /^VmRSS:\s+(\d+) kB$/m),
    ...helpers.map((pid) => mebibytesIn(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB$/m)),
  ])
  return { daemon, all: others.reduce((sum, each) => sum + each, daemon) }
}

async function mebibytesIn(file: string, pattern: RegExp): Promise<number> {
  return Number(pattern.exec(await textOf(file))?.[1] ?? 0) / 1024
}

/** /proc lists the children of each thread. */
async function listDescendants(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const lists = await Promise.all(threads.map((thread) => textOf(`/proc/${pid}/task/${thread}/children`)))
  const children = lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number))
  return [...children, ...(await Promise.all(children.map(listDescendants))).flat()]
}

/** Empty when the process has ended. */
function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '')
}
