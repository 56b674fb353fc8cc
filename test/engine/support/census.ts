import { readdir, readFile, readlink } from 'node:fs/promises'
import path from 'node:path'
import type Docker from 'dockerode'
import { leftovers } from './leftovers.js'
import type { PrivateDaemon } from './private-daemon.js'

/** Counts of what a daemon and its launches hold, in the order of a table. */
export interface Census {
  readonly descriptors: number
  readonly sockets: number
  readonly threads: number
  /** Children of the daemon, and what they run. */
  readonly processes: number
  readonly containers: number
  readonly networks: number
  readonly mounts: number
  readonly 'firewall rules': number
  readonly 'scratch directories': number
  /** Files and directories in its state directory, without logs, of which each staging has one. */
  readonly files: number
  /** Of the Engine: each connection has some. The Engine does not have to itself what it serves to others meanwhile. */
  readonly 'goroutines of the Engine': number
  readonly 'descriptors of the Engine': number
  readonly 'resident memory, MiB': number
}

/** Of a daemon that is idle. */
export async function censusOf(daemon: PrivateDaemon, engine: Docker): Promise<Census> {
  const left = await leftovers(daemon, engine)
  const count = (kind: RegExp) => left.filter((line) => kind.test(line)).length
  const links = await descriptorsOf(daemon.pid)
  const sockets = links.filter((link) => link.startsWith('socket:')).length
  const { NGoroutines: goroutines, NFd: engineDescriptors } = (await engine.info()) as EngineInfo
  const status = await statusOf(daemon.pid)
  return {
    descriptors: links.length - sockets,
    sockets,
    threads: Number(status.get('Threads')),
    processes: await countDescendants(daemon.pid),
    containers: count(/^container /),
    networks: count(/^network /),
    mounts: count(/^mount /),
    'firewall rules': count(/^-A /),
    'scratch directories': count(/^scratch /),
    files: await countFiles(daemon.stateDirectory),
    'goroutines of the Engine': goroutines,
    'descriptors of the Engine': engineDescriptors,
    'resident memory, MiB': await residentMiB(daemon.pid),
  }
}

export async function residentMiB(pid: number): Promise<number> {
  return Math.round(parseInt((await statusOf(pid)).get('VmRSS') ?? '0') / 1024)
}

/** @returns a table in Markdown */
export function tableOf(before: Census, after: Census): string {
  const names = Object.keys(before) as (keyof Census)[]
  const rows = names.map((name) => `| ${name} | ${before[name]} | ${after[name]} |`)
  return ['| | before | after |', '| --- | ---: | ---: |', ...rows, ''].join('\n')
}

interface EngineInfo {
  readonly NGoroutines: number
  readonly NFd: number
}

async function descriptorsOf(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`)
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => undefined)))
  return links.filter((link) => link !== undefined)
}

async function statusOf(pid: number): Promise<Map<string, string>> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  return new Map([...text.matchAll(/^(\w+):\s+(.*)$/gm)].map(([, name = '', value = '']) => [name, value]))
}

async function countDescendants(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  )
  const children = lists.flatMap((list) => list.split(' ').filter((one) => one !== ''))
  const below = await Promise.all(children.map((child) => countProgramsOf(Number(child))))
  return children.length + below.reduce((all, one) => all + one, 0)
}

/** Those that have ended are not counted: the shell that starts them waits for them when it starts the next one. */
async function countProgramsOf(pid: number): Promise<number> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const children = list.split(' ').filter((one) => one !== '')
  const below = await Promise.all(
    children.map(async (child) => {
      const state = (await statusOf(Number(child)).catch(() => undefined))?.get('State')
      return state === undefined || state.startsWith('Z') ? 0 : 1 + (await countProgramsOf(Number(child)))
    }),
  )
  return below.reduce((all, one) => all + one, 0)
}

/** Layers and root images are caches: what is in them is counted as one each. */
async function countFiles(state: string): Promise<number> {
  let files = 0
  for (const directory of await readdir(state, { withFileTypes: true })) {
    if (directory.name === 'logs') continue
    const below = path.join(state, directory.name)
    const deep = !['layers', 'caches'].includes(directory.name)
    files += directory.isDirectory() ? (await readdir(below, { recursive: deep })).length : 1
  }
  return files
}
