import { setTimeout as delay } from 'node:timers/promises'
import type { Package } from '../../daemon/documents/package.js'
import type { Stager } from '../../daemon/documents/stager.js'
import type { Staging } from '../../daemon/documents/staging.js'
import { benchPath, benchStaging, dockerLaunchOf, type StagingDraft } from './bench-launch.js'
import { connectToEngine, type BenchHost } from './host.js'
import { docker, launchOnceByDocker, type DockerLaunch } from './launch-by-docker.js'
import { processorTime, processorTimeOfEngine, type ProcessorTime } from './processor-time.js'
import { limitRowOf, median, rowOf, type Row } from './row.js'
import { UnixHttp } from './unix-http.js'

const STAGINGS = 64
const AT_ONCE = 8

/** Milliseconds, from the first submission until nothing is left of the last staging. */
interface Run {
  readonly wall: number
  readonly own: number
  readonly helpers: number
  readonly engine: number
}

interface Pair {
  readonly ours: Run
  readonly other: Run
  /** Of one staging with a long log. */
  readonly log: Run
}

/**
 * Compares many stagings whose only stager posts /done at once with as many containers run by the docker client, and prints
 * the processor time that either takes. The same for one staging with a long log, without a comparison.
 *
 * scripts/bench has created what `benchLaunch` needs, and the stager and the pipeline `bench-lines`.
 */
export async function benchThroughput(host: BenchHost): Promise<Row[]> {
  const api = new UnixHttp(host.socket)
  const engine = connectToEngine()
  const nothing = await draftsOf(api, 'bench-launch')
  const lines = await draftsOf(api, 'bench-lines')
  const other = await dockerLaunchOf(host, await api.get<Stager>(benchPath('stagers', 'job', 'bench-launch')))
  const daemon = () => processorTime(host.daemonPid)
  const client = () => processorTime(process.pid)
  const ours = () => measured(daemon, () => stagings([api], engine, nothing, STAGINGS))
  const theirs = () => measured(client, () => containers(other))
  try {
    await stagings([api], engine, nothing, AT_ONCE)
    const pairs: Pair[] = []
    for (let turn = 1; turn <= host.pairs; turn++) {
      const before = turn % 2 === 0 ? undefined : await theirs()
      const run = await ours()
      const log = await measured(daemon, () => stagings([api], engine, lines, 1))
      pairs.push({ ours: run, other: before ?? (await theirs()), log })
    }
    printRest(pairs)
    return rowsOf(pairs)
  } finally {
    await docker('image', 'rm', '--force', other.image)
  }
}

function rowsOf(pairs: readonly Pair[]): Row[] {
  const row = (work: string, limit: number, of: (run: Run) => number) =>
    limitRowOf(
      { work, beside: 'the docker client', limit, unit: 'ms' },
      // All of the client is programs that this benchmark has started.
      pairs.map(({ ours, other }) => ({ ours: of(ours) / STAGINGS, other: other.helpers / STAGINGS })),
    )
  return [
    rowOf(
      {
        work: `${STAGINGS} null stagings, ${AT_ONCE} at once, until nothing is left`,
        beside: 'docker network create, run, network rm',
        target: 0.85,
        unit: 'ms',
      },
      pairs.map(({ ours, other }) => ({ ours: ours.wall, other: other.wall })),
    ),
    row('processor time of the daemon for a null staging', 40, ({ own }) => own),
    row('processor time of its programs for a null staging', 30, ({ helpers }) => helpers),
  ]
}

function printRest(pairs: readonly Pair[]): void {
  const print = (what: string, of: (pair: Pair) => number) =>
    console.log(`  ${what.padEnd(58)} ${median(pairs.map(of)).toFixed(0).padStart(6)}`)
  console.log('Processor time (medians, ms):')
  print('the Engine, without its shims, for a null staging', ({ ours }) => ours.engine / STAGINGS)
  print('the Engine, without its shims, for the docker client', ({ other }) => other.engine / STAGINGS)
  print('the daemon, for a staging with 100 000 lines of log', ({ log }) => log.own)
  print('its programs, for a staging with 100 000 lines of log', ({ log }) => log.helpers)
}

async function measured(time: () => Promise<ProcessorTime>, work: () => Promise<void>): Promise<Run> {
  const [before, engineBefore, began] = [await time(), await processorTimeOfEngine(), performance.now()]
  await work()
  const wall = performance.now() - began
  const [after, engineAfter] = [await time(), await processorTimeOfEngine()]
  return {
    wall,
    own: after.own - before.own,
    helpers: after.helpers - before.helpers,
    engine: engineAfter - engineBefore,
  }
}

/**
 * Submits them at these daemons in turn. Resolves when nothing is left of them. Containers that wait for later stagings are
 * left, and so are networks.
 */
export async function stagings(
  apis: readonly UnixHttp[],
  engine: UnixHttp,
  drafts: readonly StagingDraft[],
  count: number,
): Promise<void> {
  const launches: string[] = []
  let left = count
  const oneAfterTheOther = async (draft: StagingDraft, place: number) => {
    const api = apis[place % apis.length]
    if (!api) throw new RangeError('there is no daemon')
    while (left-- > 0) {
      const { uuid } = await api.post<Staging>('/v1/stagings', draft)
      const log = await api.open('GET', `/v1/stagings/${uuid}/log?follow=true`)
      for await (const part of log) void part
      const { state, failure, launches: all } = await api.get<Staging>(`/v1/stagings/${uuid}`)
      if (state !== 'succeeded') throw new Error(`staging ${uuid} is ${state}: ${JSON.stringify(failure)}`)
      launches.push(...all.map((launch) => launch.uuid))
    }
  }
  await Promise.all(drafts.slice(0, count).map(oneAfterTheOther))
  if (launches.length !== count) throw new Error(`${count} stagings had ${launches.length} launches`)
  for (;;) {
    const containers = await engine.get<{ Names: string[] }[]>('/containers/json?all=1')
    const names = new Set(containers.flatMap(({ Names }) => Names))
    if (!launches.some((launch) => names.has(`/stagerd-${launch}`))) return
    await delay(20)
  }
}

/** As many stagings as can run at once: a package is staged by one at a time. */
export async function draftsOf(api: UnixHttp, pipeline: string): Promise<StagingDraft[]> {
  const draft = await benchStaging(api, pipeline)
  const { resource } = await api.get<Package>(`/v1/packages/${draft.package}`)
  const names = Array.from({ length: AT_ONCE }, (_, index) => `${pipeline}-${index}`)
  return await Promise.all(
    names.map(async (name) => {
      const { uuid } = await api.post<Package>('/v1/packages', {
        namespace: '/bench',
        name,
        resource: resource?.digest.replace('sha256:', ''),
      })
      return { ...draft, package: uuid }
    }),
  )
}

async function containers(launch: DockerLaunch): Promise<void> {
  let left = STAGINGS
  const oneAfterTheOther = async (_: unknown, place: number) => {
    while (left-- > 0) await launchOnceByDocker(launch, place)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, oneAfterTheOther))
}
