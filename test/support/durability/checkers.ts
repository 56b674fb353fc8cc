import { readdir } from 'node:fs/promises'
import path from 'node:path'
import type { Package } from '../../../daemon/documents/package.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { hasFile } from './archives.js'
import { BUILT, type SocketClient } from './engineless-daemon.js'
import { MARK, type Acknowledged } from './workload.js'

const ENDS = ['succeeded', 'failed', 'cancelled']
const ORDER = ['queued', 'running', ...ENDS]

/**
 * What was acknowledged, and is not there: a sentence for each. Asks a daemon over its API, when no staging of it is at
 * work. Nothing may have been acknowledged in between.
 */
export async function findLost(
  client: Pick<SocketClient, 'call'>,
  acknowledged: readonly Acknowledged[],
): Promise<string[]> {
  const lost: string[] = []
  const deleted = new Set(acknowledged.flatMap((one) => (one.what === 'deletion' ? [one.uuid] : [])))
  const packages = new Map<string, readonly string[]>()
  const stagings = new Map<string, string>()
  const resources = new Set<string>()
  for (const one of acknowledged) {
    if (one.what === 'package') packages.set(one.uuid, one.marks)
    else if (one.what === 'staging') {
      const before = stagings.get(one.uuid)
      if (before !== undefined && ENDS.includes(before) && before !== one.state)
        lost.push(`staging ${one.uuid} was ${before} and then ${one.state}`)
      stagings.set(one.uuid, one.state)
    } else if (one.what === 'resource') resources.add(one.sha256)
  }
  for (const sha256 of resources) {
    const { status } = await client.call('GET', `/v1/resources/${sha256}`)
    if (status !== 200) lost.push(`resource ${sha256} has status ${status}`)
  }
  for (const [uuid, marks] of packages) {
    const { status, document } = await client.call('GET', `/v1/packages/${uuid}`)
    if (deleted.has(uuid)) {
      if (status !== 404) lost.push(`package ${uuid} is there again`)
      continue
    }
    if (status !== 200) lost.push(`package ${uuid} has status ${status}`)
    else if (!marks.includes((document as Package).environment[MARK] ?? ''))
      lost.push(`package ${uuid} has not one of the marks ${marks.join(', ')}`)
  }
  for (const [uuid, state] of stagings) {
    const { status, document } = await client.call('GET', `/v1/stagings/${uuid}`)
    if (status !== 200) lost.push(`staging ${uuid} has status ${status}`)
    else lost.push(...lostOfStaging(document as Staging, state))
  }
  return lost
}

function lostOfStaging({ uuid, state }: Staging, acknowledged: string): string[] {
  const isSame = !ENDS.includes(acknowledged) || state === acknowledged
  if (isSame && ORDER.indexOf(state) >= ORDER.indexOf(acknowledged)) return []
  return [`staging ${uuid} is ${state}, and was ${acknowledged}`]
}

/** What can be seen and is not whole: a sentence for each. Asks a daemon when no staging of it is at work. */
export async function findHalfDone(client: Pick<SocketClient, 'call'>): Promise<string[]> {
  const half: string[] = []
  const list = async <T>(url: string) => (await client.call('GET', url)).document as readonly T[]
  const packages = new Map((await list<Package>('/v1/packages')).map((one) => [one.uuid, one]))
  const stagings = await list<Staging>('/v1/stagings')
  /** UUIDs of packages whose data a stager has built. */
  const built = new Set<string>()
  for (const { uuid, name, resource } of packages.values()) {
    if (!resource) continue
    const { status, body } = await client.call('GET', `/v1/packages/${uuid}/data`)
    const isBuilt = status === 200 ? await hasFile(body, BUILT).catch(() => undefined) : undefined
    if (isBuilt === undefined) half.push(`the data of package ${name} is not whole: ${status}`)
    if (isBuilt) built.add(uuid)
  }
  for (const { uuid, state, package_uuid: subject, launches } of stagings) {
    if (!ENDS.includes(state)) half.push(`staging ${uuid} is still ${state}`)
    const open = launches.filter((one) => ['starting', 'running'].includes(one.state))
    if (ENDS.includes(state) && open.length > 0) half.push(`staging ${uuid} has ended, and a launch of it has not`)
    const staged = packages.get(subject)
    if (!staged) continue
    if (built.has(subject) !== (state === 'succeeded')) half.push(`staging ${uuid} is ${state}, its package is not`)
    if ((staged.state === 'ready') !== (state === 'succeeded'))
      half.push(`staging ${uuid} is ${state}, and its package ${staged.state}`)
  }
  return half
}

/** Files below a state directory that are of nobody. No request may be at work. */
export async function findLeft(stateDirectory: string): Promise<string[]> {
  const left: string[] = []
  for (const folder of ['blobs/new', 'imports'])
    left.push(...(await readdir(path.join(stateDirectory, folder)).catch(() => [])).map((name) => `${folder}/${name}`))
  const names = await readdir(stateDirectory)
  return [...left, ...names.filter((name) => name.endsWith('.new'))]
}
