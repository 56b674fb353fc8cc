import { readdir, readFile } from 'node:fs/promises'

/** In milliseconds, user and system together. */
export interface ProcessorTime {
  readonly own: number
  /** Of the programs that it has started, and of those that these have started. */
  readonly helpers: number
}

/** The unit of /proc/PID/stat on all processors that Node.js runs on. */
const MS_PER_TICK = 10

interface Stat {
  readonly name: string
  readonly parent: number
  readonly own: number
  /** Of children that have ended. */
  readonly children: number
}

/** What a process has taken since its start. */
export async function processorTime(pid: number): Promise<ProcessorTime> {
  const all = await everyStat()
  const process = all.get(pid)
  if (!process) throw new Error(`there is no process ${pid}`)
  let helpers = process.children
  for (const { own, children } of below(pid, all).values()) helpers += own + children
  return { own: process.own, helpers }
}

/** Of the programs that it has started, and of those that these have started. */
export async function descendantsOf(pid: number): Promise<number[]> {
  return [...below(pid, await everyStat()).keys()]
}

/** What the Engine has taken, with its children that have ended. */
export async function processorTimeOfEngine(): Promise<number> {
  let sum = 0
  for (const { name, own, children } of (await everyStat()).values()) if (ENGINE.has(name)) sum += own + children
  return sum
}

export async function enginePids(): Promise<number[]> {
  return [...(await everyStat())].flatMap(([pid, { name }]) => (ENGINE.has(name) ? [pid] : []))
}

/** The names of its processes, without those of its shims. */
const ENGINE: ReadonlySet<string> = new Set(['dockerd', 'containerd'])

function below(pid: number, all: ReadonlyMap<number, Stat>): Map<number, Stat> {
  const found = new Map<number, Stat>()
  // A child has not always a higher number than its parent.
  for (let more = true; more;) {
    more = false
    for (const [child, stat] of all) {
      if ((stat.parent !== pid && !found.has(stat.parent)) || found.has(child)) continue
      found.set(child, stat)
      more = true
    }
  }
  return found
}

async function everyStat(): Promise<Map<number, Stat>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const stats = await Promise.all(pids.map(async (pid) => [Number(pid), await statOf(pid)] as const))
  return new Map(stats.filter((entry): entry is [number, Stat] => entry[1] !== undefined))
}

/** Undefined for a process that has ended. */
async function statOf(pid: string): Promise<Stat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The name may contain spaces and parentheses.
  const end = text.lastIndexOf(')')
  if (end < 0) return undefined
  const fields = text.slice(end + 2).split(' ')
  const ticks = (...indexes: number[]) => indexes.reduce((sum, index) => sum + Number(fields[index]) * MS_PER_TICK, 0)
  return {
    name: text.slice(text.indexOf('(') + 1, end),
    parent: Number(fields[1]),
    own: ticks(11, 12),
    children: ticks(13, 14),
  }
}
