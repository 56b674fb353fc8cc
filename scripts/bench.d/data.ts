import { rm } from 'node:fs/promises'
import { connectToEngine, type BenchHost } from './host.js'
import { HeldLaunch } from './held-launch.js'
import { inTurn } from './in-turn.js'
import { manyAtOnce } from './many-at-once.js'
import { Nginx } from './nginx.js'
import { rowOf, type Row } from './row.js'
import { benchStagerfs } from './stagerfs.js'
import { makeHeldStager, makeSmallPackage } from './subjects.js'
import { altered, makeTarball, settled } from './tarball.js'
import { download, putAndDigest, upload } from './transfers.js'
import { UnixHttp } from './unix-http.js'

const STAGER = 'data'

/** The way of a package in and out by the Stager API, and what it is made into. */
export async function benchData(host: BenchHost): Promise<Row[]> {
  await makeHeldStager(host, STAGER, '', ['os.busybox'])
  await makeSmallPackage(host, STAGER)
  const rows = [await benchStagerfs(host), ...(await oneAtATime(host))]
  const file = await makeTarball(host, 'many.tar.gz', 256)
  rows.push(...(await manyAtOnce(host, STAGER, file)))
  await rm(file.path)
  return rows
}

async function oneAtATime(host: BenchHost): Promise<Row[]> {
  const tarball = await makeTarball(host, 'one.tar.gz', 1024)
  const names = { package: STAGER, pipeline: STAGER }
  const launch = await HeldLaunch.start(new UnixHttp(host.socket), connectToEngine(), names)
  try {
    const nginx = await Nginx.start(host.work)
    try {
      const sent = await inTurn(host.pairs, {
        ours: async () => {
          const { path, digest } = await altered(tarball)
          await settled()
          return await upload(launch.url, path, digest)
        },
        other: async () => {
          const { path, digest } = await altered(tarball)
          await settled()
          const took = await putAndDigest(`${nginx.url}/${digest}`, path, nginx.fileOf(digest))
          await rm(nginx.fileOf(digest))
          return took
        },
      })
      await putAndDigest(`${nginx.url}/file`, tarball.path, nginx.fileOf('file'))
      await settled()
      const received = await inTurn(host.pairs, {
        ours: () => download(`${launch.url}/data`),
        other: () => download(`${nginx.url}/file`),
      })
      const pairs = ({ ours, other }: typeof sent) =>
        ours.map((mine, turn) => ({ ours: mine, other: other[turn] ?? Number.NaN }))
      return [
        rowOf(
          { work: 'POST /data of 1 GiB', beside: 'curl to nginx by PUT, sha256sum', target: 1, unit: 'ms' },
          pairs(sent),
        ),
        rowOf({ work: 'GET /data of 1 GiB', beside: 'nginx', target: 1.3, unit: 'ms' }, pairs(received)),
      ]
    } finally {
      await nginx.end()
    }
  } finally {
    await launch.end()
    await rm(tarball.path)
  }
}
