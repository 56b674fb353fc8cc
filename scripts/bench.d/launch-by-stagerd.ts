import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import type { Staging } from '../../daemon/documents/staging.js'
import type { StagingDraft } from './bench-launch.js'
import type { ContainerDestroyEvents } from './container-destroy-events.js'
import type { UnixHttp } from './unix-http.js'

export interface StagingTimes {
  /** UUID of its only launch. */
  readonly launch: string
  /** From the submission until the control API reports the end, in milliseconds. */
  readonly untilVerdict: number
  /** From the submission until container and mounts are removed, in milliseconds: its network may serve the next launch. */
  readonly untilRemoved: number
}

/** Runs one staging over the control API. */
export async function stageOnce(
  api: UnixHttp,
  engine: UnixHttp,
  containerEvents: ContainerDestroyEvents,
  draft: StagingDraft,
): Promise<StagingTimes> {
  const began = performance.now()
  const { uuid } = await api.post<Staging>('/v1/stagings', draft)
  // The log stream ends with the staging, so polling is not needed.
  const log = await api.open('GET', `/v1/stagings/${uuid}/log?follow=true`)
  await log.resume().toArray()
  const verdict = performance.now()

  const staging = await api.get<Staging>(`/v1/stagings/${uuid}`)
  const launch = staging.launches[0]?.uuid
  if (staging.state !== 'succeeded' || launch === undefined || staging.launches.length !== 1)
    throw new Error(`staging ${uuid} is ${staging.state}: ${JSON.stringify(staging.failure)}`)
  const containerRemoved = await containerEvents.destroyedAt(`stagerd-${launch}`)
  const restRemoved = await waitForRemoval(engine, launch)
  return {
    launch,
    untilVerdict: verdict - began,
    untilRemoved: (restRemoved ?? containerRemoved) - began,
  }
}

/**
 * Waits until the mounts are removed, after the container. Returns undefined when they already are, and otherwise the
 * time of their removal.
 */
async function waitForRemoval(engine: UnixHttp, launch: string): Promise<number | undefined> {
  const deadline = performance.now() + 10_000
  for (let first = true; ; first = false) {
    const leftover = await findLeftover(engine, launch)
    if (leftover === undefined) return first ? undefined : performance.now()
    if (performance.now() > deadline) throw new Error(`launch ${launch} has left ${leftover}`)
    await setTimeout(5)
  }
}

async function findLeftover(engine: UnixHttp, launch: string): Promise<string | undefined> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`io.stagerd.launch=${launch}`] }))
  const containers = await engine.get<unknown[]>(`/containers/json?all=1&filters=${filters}`)
  if (containers.length > 0) return 'a container'
  return (await readFile('/proc/self/mountinfo', 'utf8')).includes(launch) ? 'a mount' : undefined
}
