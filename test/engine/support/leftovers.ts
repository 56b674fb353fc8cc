import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type Docker from 'dockerode'
import { runProcess } from '../../../base/run-process.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { askEngineForList } from '../../../isolation/engine/engine-lists.js'
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

async function rulesOf(program: string): Promise<string[]> {
  return (await runProcess(program, [])).stdout.split('\n').filter((line) => line.includes('stagerd:'))
}
