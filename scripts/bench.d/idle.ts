import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { execa } from 'execa'
import type { BenchHost } from './host.js'
import { descendantsOf, enginePids, processorTime, processorTimeOfEngine } from './processor-time.js'
import { limitRowOf, type Pair, type Row } from './row.js'

/** How often memory is looked at, in milliseconds. */
const LOOK_EVERY_MS = 5_000

/** Until what a start does in the background is over, in milliseconds. */
const SETTLE_MS = 20_000

/**
 * What a daemon takes that has nothing to do and prepares nothing: memory, its programs included, and the processor. Once, over
 * the time given, in seconds. Nobody else may use the Engine meanwhile.
 */
export async function benchIdle({ root, work }: Pick<BenchHost, 'root' | 'work'>, seconds: number): Promise<Row[]> {
  const directory = join(work, 'idle')
  const options = ['--state-dir', join(directory, 'state'), '--socket', join(directory, 'socket'), '--prepared', '0']
  await mkdir(directory)
  const daemon = execa(join(root, 'bin/stagerd'), options, { reject: false, stdout: 'ignore', stderr: 'inherit' })
  try {
    await delay(SETTLE_MS)
    return await watch(daemon.pid ?? 0, seconds)
  } finally {
    daemon.kill()
    await daemon
  }
}

async function watch(pid: number, seconds: number): Promise<Row[]> {
  const memory: Pair[] = []
  const [before, engineBefore, began] = [await processorTime(pid), await processorTimeOfEngine(), performance.now()]
  while (performance.now() - began < seconds * 1000) {
    await delay(LOOK_EVERY_MS)
    const ours = await residentMiB([pid, ...(await descendantsOf(pid))])
    memory.push({ ours, other: await residentMiB(await enginePids()) })
  }
  const elapsed = performance.now() - began
  const [after, engineAfter] = [await processorTime(pid), await processorTimeOfEngine()]
  const share = (ms: number) => (100 * ms) / elapsed
  const took = after.own + after.helpers - before.own - before.helpers
  const row = (work: string, limit: number, unit: string, pairs: readonly Pair[]) =>
    limitRowOf({ work, beside: 'dockerd and containerd', limit, unit }, pairs)
  return [
    row(`memory of an idle daemon, ${memory.length} looks`, 120, 'MiB', memory),
    row(`processor of an idle daemon, ${Math.round(elapsed / 1000)} s`, 0.5, '%', [
      { ours: share(took), other: share(engineAfter - engineBefore) },
    ]),
  ]
}

async function residentMiB(pids: readonly number[]): Promise<number> {
  let sum = 0
  for (const pid of pids) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    sum += Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0)
  }
  return sum / 1024
}
