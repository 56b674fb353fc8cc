import { readFile, rm } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { connectToEngine, type BenchHost } from './host.js'
import { HeldLaunch } from './held-launch.js'
import { limitRowOf, median, type Row } from './row.js'
import { makeSmallPackage } from './subjects.js'
import { alteredCopy, settled, type Tarball } from './tarball.js'
import { download, upload } from './transfers.js'
import { UnixHttp } from './unix-http.js'

const MIB = 1024 ** 2
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
    let highest = 0
    const asked: number[] = []
    const watch = (async () => {
      for (let turn = 0; !over.signal.aborted; turn++) {
        highest = Math.max(highest, await memoryOf(host.daemonPid))
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
      limitRowOf({ work: `${work}: the daemon's memory`, beside: 'before', limit: 200, unit: 'MiB' }, [
        { ours: highest, other: before },
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

/** Resident, in MiB. */
async function memoryOf(pid: number): Promise<number> {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  return (Number(kilobytes) * 1024) / MIB
}
