import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { execa } from 'execa'
import type { Staging } from '../../daemon/documents/staging.js'
import type { NetworkEnds } from './network-ends.js'
import type { UnixHttp } from './unix-http.js'

export interface StagingTimes {
  /** UUID of its one launch. */
  readonly launch: string
  /** From the submission until the control API says how it ended, in milliseconds. */
  readonly untilVerdict: number
  /** From the submission until container, mounts, rules and network are gone, in milliseconds. */
  readonly untilNothingIsLeft: number
}

/** One staging over the control API. */
export async function stageOnce(
  api: UnixHttp,
  engine: UnixHttp,
  ends: NetworkEnds,
  draft: { readonly package: string; readonly pipeline: string },
): Promise<StagingTimes> {
  const began = performance.now()
  const { uuid } = await api.post<Staging>('/v1/stagings', draft)
  // The log ends when the staging has: no question needs to be repeated.
  const log = await api.open('GET', `/v1/stagings/${uuid}/log?follow=true`)
  await log.resume().toArray()
  const verdict = performance.now()

  const staging = await api.get<Staging>(`/v1/stagings/${uuid}`)
  const launch = staging.launches[0]?.uuid
  if (staging.state !== 'succeeded' || launch === undefined || staging.launches.length !== 1)
    throw new Error(`staging ${uuid} is ${staging.state}: ${JSON.stringify(staging.failure)}`)
  const networkGone = await ends.endOf(`stagerd-${launch}`)
  const restGone = await goneByNow(engine, launch)
  return {
    launch,
    untilVerdict: verdict - began,
    untilNothingIsLeft: (restGone ?? networkGone) - began,
  }
}

/** The network goes last. Undefined when nothing else of the launch was there any more, else the time when it went. */
async function goneByNow(engine: UnixHttp, launch: string): Promise<number | undefined> {
  const deadline = performance.now() + 10_000
  for (let first = true; ; first = false) {
    const left = await leftOf(engine, launch)
    if (left === undefined) return first ? undefined : performance.now()
    if (performance.now() > deadline) throw new Error(`launch ${launch} has left ${left}`)
    await setTimeout(5)
  }
}

async function leftOf(engine: UnixHttp, launch: string): Promise<string | undefined> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`io.stagerd.launch=${launch}`] }))
  const containers = await engine.get<unknown[]>(`/containers/json?all=1&filters=${filters}`)
  if (containers.length > 0) return 'a container'
  if ((await readFile('/proc/self/mountinfo', 'utf8')).includes(launch)) return 'a mount'
  const { stdout } = await execa('iptables-save', ['-t', 'filter'])
  return stdout.includes(launch) ? 'a firewall rule' : undefined
}
