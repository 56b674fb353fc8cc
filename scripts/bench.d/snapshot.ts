import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { LARGE_FILES, SMALL_FILES, TEN_FILES } from './snapshot-changes.js'
import { compressorAlone, BASELINE, prepareBaseline } from './baseline.js'
import { connectToEngine, type BenchHost } from './host.js'
import { WaitingLaunch } from './waiting-launch.js'
import { docker } from './launch-by-docker.js'
import { OciTools } from './oci-tools.js'
import { interleave } from './interleave.js'
import { median, rowOf, type Row } from './row.js'
import { createWaitingStager, createPackage, createSmallPackage } from './fixtures.js'
import { timed } from './transfers.js'
import { UnixHttp } from './unix-http.js'

const SMALL = '10 000 new files of 4 KiB and 1 000 removals'

/** Snapshots over the Stager API: the container is frozen, and the blob is durable when the response arrives. */
export async function benchSnapshot(host: BenchHost): Promise<Row[]> {
  for (const name of ['small', 'large', 'ten']) await createSmallPackage(host, `snapshot-${name}`)
  await createSmallPackage(host, 'snapshot-ballast')
  return [...(await smallFiles(host)), await largeFiles(host), await grownBase(host)]
}

async function smallFiles(host: BenchHost): Promise<Row[]> {
  const tools = new OciTools(host.work)
  await createWaitingStager(host, 'snapshot-small', SMALL_FILES)
  const launch = await startWaitingLaunch(host, 'snapshot-small')
  try {
    const { stdout } = await execa(join(host.root, 'images/build'), ['debian-12'])
    await tools.prepare(stdout.trim().split('\n').at(-1) ?? '', SMALL_FILES)
    const runBaseline = await prepareBaseline(host)
    const times = await interleave(host.pairs, {
      ours: () => snapshot(launch),
      baseline: () => runBaseline(launch.upper),
      compressor: () => compressorAlone(host, launch.upper),
      buildah: () => tools.buildahCommit(),
      umoci: () => tools.umociRepack(),
      docker: () => dockerCommit(launch.container),
    })
    const pairs = (other: number[]) => times.ours.map((ours, turn) => ({ ours, other: other[turn] ?? Number.NaN }))
    const [beside, faster] =
      median(times.buildah) < median(times.umoci) ? ['buildah commit', times.buildah] : ['umoci repack', times.umoci]
    const otherTimes = {
      'buildah commit': times.buildah,
      'umoci repack': times.umoci,
      'compressor alone': times.compressor,
    }
    for (const [what, durations] of Object.entries(otherTimes))
      console.log(`${what}: ${median(durations).toFixed(0)} ms`)
    return [
      rowOf({ work: `snapshot of ${SMALL}`, beside, target: 0.2, unit: 'ms' }, pairs(faster)),
      rowOf({ work: `snapshot of ${SMALL}`, beside: 'docker commit', target: 0.333, unit: 'ms' }, pairs(times.docker)),
      rowOf({ work: `snapshot of ${SMALL}`, beside: BASELINE, target: 1.3, unit: 'ms' }, pairs(times.baseline)),
    ]
  } finally {
    await launch.end()
    await tools.end()
  }
}

async function largeFiles(host: BenchHost): Promise<Row> {
  await createWaitingStager(host, 'snapshot-large', LARGE_FILES)
  const launch = await startWaitingLaunch(host, 'snapshot-large')
  try {
    const runBaseline = await prepareBaseline(host)
    const { ours, baseline: other } = await interleave(host.pairs, {
      ours: () => snapshot(launch),
      baseline: () => runBaseline(launch.upper),
    })
    const pairs = ours.map((mine, turn) => ({ ours: mine, other: other[turn] ?? Number.NaN }))
    return rowOf({ work: 'snapshot of 200 files of 1 MiB', beside: BASELINE, target: 1.2, unit: 'ms' }, pairs)
  } finally {
    await launch.end()
  }
}

/** The same ten changes to the Debian root, and to the Debian root with 1.8 GB more. */
async function grownBase(host: BenchHost): Promise<Row> {
  const ballast = join(host.work, 'ballast')
  await execa('sh', ['-ec', BALLAST, 'sh', ballast])
  await createPackage(host, `${ballast}.tar.gz`, 'ballast', 'package.bench-ballast')
  await rm(`${ballast}.tar.gz`)
  await createWaitingStager(host, 'snapshot-ten', TEN_FILES)
  await createWaitingStager(host, 'snapshot-ballast', TEN_FILES, ['os.debian-12', 'package.bench-ballast'])
  const small = await startWaitingLaunch(host, 'snapshot-ten')
  try {
    const large = await startWaitingLaunch(host, 'snapshot-ballast')
    try {
      const times = await interleave(host.pairs * 3, {
        large: () => snapshot(large),
        small: () => snapshot(small),
      })
      const pairs = times.large.map((ours, turn) => ({ ours, other: times.small[turn] ?? Number.NaN }))
      const what = { work: 'snapshot of 10 changed files, base of 2 GB', beside: 'the same, base of 200 MB' }
      return rowOf({ ...what, target: 1.1, unit: 'ms' }, pairs)
    } finally {
      await large.end()
    }
  } finally {
    await small.end()
  }
}

/** 18 000 incompressible files of 100 KB. Their total is below the quota for a resource. */
const BALLAST = `mkdir -p "$1/opt/ballast"
for i in $(seq 180); do
  mkdir "$1/opt/ballast/$i"
  head -c 10000000 /dev/urandom | split -b 100000 -a 2 - "$1/opt/ballast/$i/f"
done
tar -c -C "$1" opt | igzip -1 -c >"$1.tar.gz"
rm -rf "$1"`

async function dockerCommit(container: string): Promise<number> {
  let image = ''
  const duration = await timed(async () => {
    image = await docker('commit', container)
  })
  await docker('image', 'rm', image)
  return duration
}

async function snapshot(launch: WaitingLaunch): Promise<number> {
  await launch.change()
  return await launch.request('POST', 'snapshot')
}

function startWaitingLaunch(host: BenchHost, name: string): Promise<WaitingLaunch> {
  return WaitingLaunch.start(new UnixHttp(host.socket), connectToEngine(), { package: name, pipeline: name })
}
