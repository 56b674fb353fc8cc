import { randomBytes } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { connectToEngine, type BenchHost } from './host.js'
import { HeldLaunch } from './held-launch.js'
import { inTurn } from './in-turn.js'
import { manyAtOnce } from './many-at-once.js'
import { Nginx } from './nginx.js'
import { rowOf, type Row } from './row.js'
import { benchStagerfs } from './stagerfs.js'
import { makeHeldStager, makeSmallPackage } from './subjects.js'
import { download, putAndDigest, upload } from './transfers.js'
import { UnixHttp } from './unix-http.js'

const STAGER = 'data'

/** The way of a package in and out by the Stager API, and what it is made into. */
export async function benchData(host: BenchHost): Promise<Row[]> {
  await makeHeldStager(host, STAGER, '', ['os.busybox'])
  await makeSmallPackage(host, STAGER)
  const rows = [await benchStagerfs(host), ...(await oneAtATime(host))]
  const file = await makeTarball(host, 'many.tar.gz', 256)
  rows.push(...(await manyAtOnce(host, STAGER, file.path, file.digest)))
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
          return await upload(launch.url, path, digest)
        },
        other: async () => {
          const { path, digest } = await altered(tarball)
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

/** Of files of 1 MiB that cannot be compressed any further, so that the tarball is as long as they are together. */
async function makeTarball(host: BenchHost, name: string, mebibytes: number) {
  const path = join(host.work, name)
  await execa('sh', ['-ec', TARBALL, 'sh', join(host.work, 'content'), path, String(mebibytes)])
  return { path, digest: await sha256Of(path) }
}

/**
 * A tarball with the same content and another digest, in the same file: the time in its gzip header is another one. Who
 * sent the same again would measure something else than the work, since it is there already.
 */
async function altered({ path }: { readonly path: string }) {
  const file = await open(path, 'r+')
  await file.write(randomBytes(4), 0, 4, 4)
  await file.close()
  const digest = await sha256Of(path)
  await settled()
  return { path, digest }
}

/**
 * Nothing is left to be written for what came before: otherwise whoever calls fsync next pays for it, for what another has
 * written and not synced, and for the trimming of what was removed where the file system discards.
 */
async function settled(): Promise<void> {
  await execa('sync')
}

async function sha256Of(path: string): Promise<string> {
  return (await execa('sha256sum', [path])).stdout.slice(0, 64)
}

const TARBALL = `mkdir -p "$1/opt/data"
head -c "$3M" /dev/urandom | split -b 1M -a 4 - "$1/opt/data/f"
tar -c -C "$1" opt | igzip -1 -c >"$2"
rm -rf "$1"`
