import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import Database from 'better-sqlite3'
import type Docker from 'dockerode'
import { runProcess } from '../../../base/run-process.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { askEngineForList } from '../../../isolation/engine/engine-lists.js'
import { bridgeName } from '../../../isolation/host/ownership.js'
import { figures } from '../../hostile/support/promises.js'
import type { PrivateDaemon } from './private-daemon.js'

/** The identifiers of a node by which its objects are found. */
type Node = Pick<PrivateDaemon, 'nodeId' | 'stateDirectory'>

/**
 * Leftovers of launches and runs of a daemon on this host, one line each, without root images, which are kept on
 * purpose.
 */
export async function leftovers(daemon: Node, engine: Docker = connectEngine()): Promise<string[]> {
  const node = await daemon.nodeId()
  const filters = { label: [`io.stagerd.node=${node}`] }
  const containers = await askEngineForList('list its containers', () => engine.listContainers({ all: true, filters }))
  const networks = await engine.listNetworks({ filters })
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  const rules = await Promise.all([rulesOf('iptables-save'), rulesOf('ip6tables-save')])
  const scratch = await readdir(path.join(daemon.stateDirectory, 'launches')).catch(() => [])
  return [
    ...containers.map(({ Id }) => `container ${Id}`),
    ...networks.map(({ Name }) => `network ${Name}`),
    ...(await linksOf(daemon)).map((name) => `link ${name}`),
    ...mounts.filter((line) => line.includes(daemon.stateDirectory)).map((line) => `mount ${line}`),
    ...rules.flat().filter((line) => line.includes(`:${node.slice(0, 8)}:`)),
    ...scratch.map((name) => `scratch ${name}`),
  ]
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

/**
 * The bridges of launches of this daemon. A link says nothing of its node, so that only those of launches in the database are
 * found: not those of containers ahead that were never used, and none where there is no database.
 */
async function linksOf({ stateDirectory }: Node): Promise<string[]> {
  const file = path.join(stateDirectory, 'stagerd.db')
  if (!existsSync(file)) return []
  const database = new Database(file, { readonly: true })
  try {
    const launches = database.prepare('SELECT uuid FROM launches').pluck().all() as string[]
    const bridges = new Set(launches.map(bridgeName))
    return (await readdir('/sys/class/net')).filter((name) => bridges.has(name))
  } finally {
    database.close()
  }
}

async function rulesOf(program: string): Promise<string[]> {
  return (await runProcess(program, [])).stdout.split('\n').filter((line) => line.includes('stagerd:'))
}
