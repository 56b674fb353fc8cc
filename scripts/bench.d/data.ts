import { rm } from 'node:fs/promises'
import { connectToEngine, type BenchHost } from './host.js'
import { WaitingLaunch } from './waiting-launch.js'
import { interleave } from './interleave.js'
import { concurrentTransfers } from './concurrent-transfers.js'
import { Nginx } from './nginx.js'
import { rowOf, type Row } from './row.js'
import { benchStagerfs } from './stagerfs.js'
import { createWaitingStager, createSmallPackage } from './fixtures.js'
import { changeDigest, createTarball, syncDisks } from './tarball.js'
import { download, putAndDigest, upload } from './transfers.js'
import { UnixHttp } from './unix-http.js'

const STAGER = 'data'

/** Uploads and downloads of package data over the Stager API, and the mount of /stagerfs. */
export async function benchData(host: BenchHost): Promise<Row[]> {
  await createWaitingStager(host, STAGER, '', ['os.busybox'])
  await createSmallPackage(host, STAGER)
  const rows = [await benchStagerfs(host), ...(await sequentialTransfers(host))]
  const file = await createTarball(host, 'many.tar.gz', 256)
  rows.push(...(await concurrentTransfers(host, STAGER, file)))
  await rm(file.path)
  return rows
}

async function sequentialTransfers(host: BenchHost): Promise<Row[]> {
  const tarball = await createTarball(host, 'one.tar.gz', 1024)
  const names = { package: STAGER, pipeline: STAGER }
  const launch = await WaitingLaunch.start(new UnixHttp(host.socket), connectToEngine(), names)
  try {
    const nginx = await Nginx.start(host.work)
    try {
      const uploads = await interleave(host.pairs, {
        ours: async () => {
          const { path, digest } = await changeDigest(tarball)
          await syncDisks()
          return await upload(launch.url, path, digest)
        },
        other: async () => {
          const { path, digest } = await changeDigest(tarball)
          await syncDisks()
          const duration = await putAndDigest(`${nginx.url}/${digest}`, path, nginx.fileOf(digest))
          await rm(nginx.fileOf(digest))
          return duration
        },
      })
      await putAndDigest(`${nginx.url}/file`, tarball.path, nginx.fileOf('file'))
      await syncDisks()
      const downloads = await interleave(host.pairs, {
        ours: () => download(`${launch.url}/data`),
        other: () => download(`${nginx.url}/file`),
      })
      const pairs = ({ ours, other }: typeof uploads) =>
        ours.map((mine, turn) => ({ ours: mine, other: other[turn] ?? Number.NaN }))
      return [
        rowOf(
          { work: 'POST /data of 1 GiB', beside: 'curl to nginx by PUT, sha256sum', target: 1, unit: 'ms' },
          pairs(uploads),
        ),
        rowOf({ work: 'GET /data of 1 GiB', beside: 'nginx', target: 1.3, unit: 'ms' }, pairs(downloads)),
      ]
    } finally {
      await nginx.end()
    }
  } finally {
    await launch.end()
    await rm(tarball.path)
  }
}
