import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import type { NodeStatus } from '../../daemon/documents/node.js'
import type { Stager } from '../../daemon/documents/stager.js'
import type { Staging } from '../../daemon/documents/staging.js'
import { benchPath, benchStaging, dockerLaunchOf, type StagingDraft } from './bench-launch.js'
import { connectToEngine, type BenchHost } from './host.js'
import { addressesOf, docker, launchOnceByDocker, type DockerLaunch } from './launch-by-docker.js'
import { limitRowOf, rowOf, type Pair, type Row } from './row.js'
import { UnixHttp } from './unix-http.js'

/** The stagers of the pipeline of null stagers. scripts/bench has created them. */
export const NULL_STAGERS = 5

/** What `stat -c '%n %y'` prints: /tmp/first 2024-05-01 12:00:00.123456789 +0000. In UTC, as containers are. */
const TIME_OF = /(\/tmp\/(?:first|ok)) (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+) \+0000/g

/** How long it may take until all wait that are created ahead, in milliseconds: a host may be busy with other work. */
const WAIT_MS = 180_000

/** In the clock of `performance.now()`, in milliseconds. */
type Moment = number

interface Ahead {
  /** From the OK of the first stager's verdict to the first instruction of the second. */
  readonly second: Pair
  /** From the 201 of the submission to the first instruction. */
  readonly first: Pair
  readonly unprepared: Pair
  readonly five: Pair
  readonly memory: Pair
}

/**
 * What containers that are created ahead save, beside the docker client, which runs the same program in the same image.
 *
 * scripts/bench has created the pipeline `bench-two`, whose stagers work for a while, and `bench-five`, whose stagers do
 * nothing. They say when they begin by the time of a file, which the kernel keeps to a few milliseconds.
 */
export async function benchLaunchAhead(host: BenchHost): Promise<Row[]> {
  const api = new UnixHttp(host.socket)
  const engine = connectToEngine()
  const two = await benchStaging(api, 'bench-two')
  const five = await benchStaging(api, 'bench-five')
  const timed = await dockerLaunchOf(host, await api.get<Stager>(benchPath('stagers', 'job', 'bench-two-1')))
  const nothing = {
    ...timed,
    command: (await api.get<Stager>(benchPath('stagers', 'job', 'bench-launch'))).start_command,
  }
  try {
    const pairs: Ahead[] = []
    for (let turn = 1; turn <= host.pairs; turn++)
      pairs.push(await measured({ api, engine }, { two, five }, { timed, nothing }, turn))
    return rowsOf(pairs)
  } finally {
    await docker('image', 'rm', '--force', timed.image)
  }
}

async function measured(
  { api, engine }: { readonly api: UnixHttp; readonly engine: UnixHttp },
  { two, five }: { readonly two: StagingDraft; readonly five: StagingDraft },
  { timed, nothing }: { readonly timed: DockerLaunch; readonly nothing: DockerLaunch },
  turn: number,
): Promise<Ahead> {
  await used(api, two, 2, 2)
  const memory = await memoryOfWaiting(api, engine)
  const ahead = await staged(api, two, 2)
  const docked = await firstInstructionByDocker(timed, turn)
  // It releases them. Nothing else is old enough to be removed.
  await api.post('/v1/node/gc', {})
  const unprepared = await staged(api, two, 2)
  const dockedAgain = await firstInstructionByDocker(timed, turn)

  await used(api, five, NULL_STAGERS, 0)
  const { ready } = await staged(api, five, 0)
  let byDocker = 0
  for (let n = 0; n < NULL_STAGERS; n++) byDocker += await launchOnceByDocker(nothing, turn)
  return {
    second: { ours: ahead.firsts[1]! - ahead.oks[0]!, other: docked },
    first: { ours: ahead.firsts[0]! - ahead.submitted, other: docked },
    unprepared: { ours: unprepared.firsts[0]! - unprepared.submitted, other: dockedAgain },
    five: { ours: ready, other: byDocker },
    memory,
  }
}

function rowsOf(pairs: readonly Ahead[]): Row[] {
  const beside = 'docker network create, run until the first instruction'
  const row = (work: string, target: number, of: (ahead: Ahead) => Pair, other = beside) =>
    rowOf({ work, beside: other, target, unit: 'ms' }, pairs.map(of))
  return [
    row('second stager, from the OK to its first instruction', 0.1, ({ second }) => second),
    row('first stager, root in use, from the 201 to its first instruction', 0.15, ({ first }) => first),
    row('the same, nothing prepared', 1, ({ unprepared }) => unprepared),
    row('five null stagers, until ready', 0.35, ({ five }) => five, '5 × docker network create, run, network rm'),
    limitRowOf(
      { work: 'memory of a prepared container', beside: 'the shim of the Engine', limit: 4, unit: 'MiB' },
      pairs.map(({ memory }) => memory),
    ),
  ]
}

interface StagedTimes {
  readonly submitted: Moment
  /** Milliseconds from the submission until it is ready. */
  readonly ready: number
  readonly firsts: readonly Moment[]
  readonly oks: readonly Moment[]
}

/** @param times how many of its stagers say when they begin */
async function staged(api: UnixHttp, draft: StagingDraft, times: number): Promise<StagedTimes> {
  const began = performance.now()
  const { uuid } = await api.post<Staging>('/v1/stagings', draft)
  const submitted = performance.now()
  const log = await text(await api.open('GET', `/v1/stagings/${uuid}/log?follow=true`))
  const ready = performance.now() - began
  const { state, failure } = await api.get<Staging>(`/v1/stagings/${uuid}`)
  if (state !== 'succeeded') throw new Error(`staging ${uuid} is ${state}: ${JSON.stringify(failure)}`)
  const [firsts, oks] = [timesIn(log, '/tmp/first'), timesIn(log, '/tmp/ok')]
  if (firsts.length !== times || oks.length !== times) throw new Error(`staging ${uuid} has printed ${log}`)
  return { submitted, ready, firsts, oks }
}

/**
 * Has the pipeline just been used, as one that is worked with. Nothing else has places: those of another pipeline would make way
 * only for the first two of this one.
 *
 * @param count of its stagers
 * @param times how many of them say when they begin
 */
async function used(api: UnixHttp, draft: StagingDraft, count: number, times: number): Promise<void> {
  await waiting(api, 0)
  await api.post('/v1/node/gc', {})
  await staged(api, draft, times)
  await waiting(api, count)
}

/** Waits until so many containers wait, and nothing else is being made. */
async function waiting(api: UnixHttp, count: number): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  let last = -1
  while (performance.now() < deadline) {
    const { prepared = 0 } = await api.get<NodeStatus>('/v1/node')
    if (prepared >= count && prepared === last) return
    last = prepared
    await setTimeout(1_000)
  }
  throw new Error(`there are no ${count} containers that wait`)
}

/** MiB of one container that waits, while nothing else runs, and of its shim, which the Engine has for each. */
async function memoryOfWaiting(api: UnixHttp, engine: UnixHttp): Promise<Pair> {
  const { node } = await api.get<NodeStatus>('/v1/node')
  const filters = encodeURIComponent(JSON.stringify({ label: [`io.stagerd.node=${node}`], status: ['running'] }))
  const [one] = await engine.get<{ Id: string }[]>(`/containers/json?filters=${filters}`)
  if (!one) throw new Error('no container waits')
  const stats = await engine.get<{ memory_stats: { usage: number } }>(`/containers/${one.Id}/stats?stream=false`)
  const { State } = await engine.get<{ State: { Pid: number } }>(`/containers/${one.Id}/json`)
  const shim = numberIn(await readFile(`/proc/${State.Pid}/status`, 'utf8'), 'PPid')
  const resident = numberIn(await readFile(`/proc/${shim}/status`, 'utf8'), 'VmRSS')
  return { ours: stats.memory_stats.usage / 2 ** 20, other: resident / 2 ** 10 }
}

function numberIn(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1])
}

/** @returns milliseconds from the begin of the creation of its network until its first instruction */
async function firstInstructionByDocker(launch: DockerLaunch, turn: number): Promise<number> {
  const server = createServer((request, response) => request.resume().on('end', () => response.end('OK')))
  const { network, subnet, gateway } = addressesOf(turn)
  const labels = launch.labels.flatMap((label) => ['--label', label])
  const began = performance.now()
  await docker('network', 'create', '--internal', ...labels, '--subnet', subnet, '--gateway', gateway, network)
  try {
    await once(server.listen(0, gateway), 'listening')
    const { port } = server.address() as AddressInfo
    const output = await docker(
      ...['run', '--rm', '--network', network, ...labels, '--user', 'runner', '--workdir', '/app'],
      ...['--memory', launch.limits.memory, '--cpus', launch.limits.cpus, '--pids-limit', launch.limits.pids],
      ...['--env', `STAGER_URL=http://${gateway}:${port}/${network}`, launch.image, '/bin/sh', '-c', launch.command],
    )
    const [first] = timesIn(output, '/tmp/first')
    if (first === undefined) throw new Error(`the container has printed ${output}`)
    return first - began
  } finally {
    server.close()
    await docker('network', 'rm', network)
  }
}

/** @param file that a program has made, which takes no other program than its shell */
function timesIn(output: string, file: string): Moment[] {
  return [...output.matchAll(TIME_OF)].flatMap(([, name, date = '', time = '', fraction = '']) =>
    name === file ? [Date.parse(`${date}T${time}Z`) + Number(fraction) * 1000 - performance.timeOrigin] : [],
  )
}
