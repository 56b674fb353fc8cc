import type { Stager } from '../../daemon/documents/stager.js'
import { benchPath, benchStaging, dockerLaunchOf } from './bench-launch.js'
import { type BenchHost, connectToEngine } from './host.js'
import { docker, launchOnceByDocker } from './launch-by-docker.js'
import { stageOnce, type StagingTimes } from './launch-by-stagerd.js'
import { ContainerDestroyEvents } from './container-destroy-events.js'
import { rowOf, type Row } from './row.js'
import { stepTimes } from './step-times.js'
import { UnixHttp } from './unix-http.js'

const TARGET = 1.15

/**
 * Compares a staging whose only stager posts /done at once with the same container run by the docker client. The two
 * alternate, and each is the first in half of the pairs.
 *
 * scripts/bench has created the package `bench-subject`, and the stager and the pipeline `bench-launch`.
 */
export async function benchLaunch(host: BenchHost): Promise<Row[]> {
  const api = new UnixHttp(host.socket)
  const engine = connectToEngine()
  const draft = await benchStaging(api, 'bench-launch')
  const stager = await api.get<Stager>(benchPath('stagers', 'job', 'bench-launch'))

  const containerEvents = await ContainerDestroyEvents.watch(engine)
  const other = await dockerLaunchOf(host, stager)
  try {
    const ours = () => stageOnce(api, engine, containerEvents, draft)
    // A warm-up run of each.
    await ours()
    await launchOnceByDocker(other, 0)
    const pairs: { ours: StagingTimes; other: number }[] = []
    for (let turn = 1; turn <= host.pairs; turn++) {
      if (turn % 2 === 0) pairs.push({ ours: await ours(), other: await launchOnceByDocker(other, turn) })
      else {
        const byDocker = await launchOnceByDocker(other, turn)
        pairs.push({ ours: await ours(), other: byDocker })
      }
    }
    await printSteps(host, pairs)
    return rowsOf(pairs)
  } finally {
    containerEvents.close()
    await docker('image', 'rm', '--force', other.image)
  }
}

function rowsOf(pairs: readonly { ours: StagingTimes; other: number }[]): Row[] {
  const common = { beside: 'docker network create, run, network rm', target: TARGET, unit: 'ms' }
  return [
    rowOf(
      { ...common, work: 'launch, until nothing is left' },
      pairs.map(({ ours, other }) => ({ ours: ours.untilRemoved, other })),
    ),
    rowOf(
      { ...common, work: 'launch, until the verdict is told' },
      pairs.map(({ ours, other }) => ({ ours: ours.untilVerdict, other })),
    ),
  ]
}

async function printSteps(host: BenchHost, pairs: readonly { ours: StagingTimes }[]): Promise<void> {
  const times = await stepTimes(host.log, new Set(pairs.map(({ ours }) => ours.launch)))
  console.log('Steps of a launch (medians, ms):')
  for (const [step, ms] of times) console.log(`  ${step.padEnd(10)} ${ms.toFixed(1).padStart(7)}`)
  if (times.size === 0) console.log('  the daemon has not logged any steps')
}
