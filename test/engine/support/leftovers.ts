import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type Docker from 'dockerode'
import { runProcess } from '../../../base/run-process.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { askEngineForList } from '../../../isolation/engine/engine-lists.js'
import { bridgeName, bridgePrefix, NETWORK_LABEL } from '../../../isolation/host/ownership.js'
import { MAX_KEPT } from '../../../isolation/network/networks.js'
import { figures } from '../../hostile/support/promises.js'
import type { PrivateDaemon } from './private-daemon.js'

/** How long a bridge stays at most that the Engine is removing, in milliseconds, on a busy host. */
const LINK_MS = 1_000

/** The identifiers of a node by which its objects are found, and whether it may keep networks for launches to come. */
type Node = Pick<PrivateDaemon, 'nodeId' | 'stateDirectory'> & Partial<Pick<PrivateDaemon, 'isRunning' | 'host'>>

/**
 * Leftovers of launches and runs of a daemon on its host, one line each, without root images, which are kept on
 * purpose. So are, while it runs, a few networks in which nothing is.
 */
export async function leftovers(daemon: Node, engine: Docker = connectEngine()): Promise<string[]> {
  const node = await daemon.nodeId()
  const filters = { label: [`io.stagerd.node=${node}`] }
  const containers = await askEngineForList('list its containers', () => engine.listContainers({ all: true, filters }))
  const networks = await askEngineForList('list its networks', () => engine.listNetworks({ filters }))
  const interfaces = interfacesOf(daemon)
  const kept = daemon.isRunning ? await keptOf(node, networks, interfaces) : []
  const isKept = (line: string) => kept.some(({ id, bridge }) => line.includes(id) || line.includes(bridge))
  const mounts = (await readFile(`/proc/${processOf(daemon)}/mountinfo`, 'utf8')).split('\n')
  const rules = await Promise.all(['iptables-save', 'ip6tables-save'].map((program) => rulesOf(daemon, program)))
  const scratch = await readdir(path.join(daemon.stateDirectory, 'launches')).catch(() => [])
  const left = [
    ...containers.map(({ Id }) => `container ${Id}`),
    ...networks.map(({ Name }) => `network ${Name}`),
    ...(await linksLeft(node, interfaces, isKept)).map((name) => `link ${name}`),
    ...mounts.filter((line) => line.includes(daemon.stateDirectory)).map((line) => `mount ${line}`),
    ...rules.flat().filter((line) => line.includes(`:${node.slice(0, 8)}:`)),
    ...scratch.map((name) => `scratch ${name}`),
  ]
  return left.filter((line) => line.startsWith('container') || !isKept(line))
}

/** The networks that it may keep: those without a container, up to their number. */
async function keptOf(node: string, networks: readonly Docker.NetworkInspectInfo[], interfaces: string) {
  const found = networks.map(({ Labels }) => {
    const id = Labels?.[NETWORK_LABEL] ?? 'none'
    return { id, bridge: bridgeName({ nodeId: node }, id) }
  })
  const ports = await Promise.all(found.map(({ bridge }) => readdir(`${interfaces}/${bridge}/brif`).catch(() => [''])))
  return found.filter((_, index) => ports[index]?.length === 0).slice(0, MAX_KEPT)
}

/** Counts a check that nothing is left of this daemon. Throws if something is. */
export async function expectNothingLeft(daemon: Node, engine: Docker = connectEngine()): Promise<void> {
  figures.check('leftover', `launches of node ${await daemon.nodeId()}`, await leftovers(daemon, engine))
}

/** Removes the root images of a daemon whose state directory is removed with the test. */
export async function removeImages(daemon: Node, engine: Docker = connectEngine()): Promise<void> {
  const filters = { label: [`io.stagerd.node=${await daemon.nodeId()}`] }
  const images = await askEngineForList('list its images', () => engine.listImages({ filters }))
  for (const { Id } of images) await engine.getImage(Id).remove({ force: true })
}

/** A process on the host of the daemon, as a part of a path below /proc. */
function processOf({ host }: Node): string {
  return host === undefined ? 'self' : String(host.pid)
}

/** Where the kernel shows the interfaces of the host of the daemon. */
function interfacesOf(daemon: Node): string {
  return `/proc/${processOf(daemon)}/root/sys/class/net`
}

/** The Engine lists a network no longer that it removes, and its bridge goes a little later. */
async function linksLeft(node: string, interfaces: string, isKept: (line: string) => boolean): Promise<string[]> {
  const found = (await linksOf(node, interfaces)).filter((name) => !isKept(name))
  if (found.length === 0) return []
  await delay(LINK_MS)
  const now = await linksOf(node, interfaces)
  return found.filter((name) => now.includes(name))
}

/** The bridges of this node, also those that the Engine has forgotten. */
async function linksOf(nodeId: string, interfaces: string): Promise<string[]> {
  return (await readdir(interfaces)).filter((name) => name.startsWith(bridgePrefix({ nodeId })))
}

async function rulesOf({ host }: Node, program: string): Promise<string[]> {
  const [file, ...args] = [...(host?.enter ?? []), program]
  return (await runProcess(file, args)).stdout.split('\n').filter((line) => line.includes('stagerd:'))
}
