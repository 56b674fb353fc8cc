import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { BenchHost } from './host.js'
import { descendantsOf, enginePids, processorTime, processorTimeOfEngine } from './processor-time.js'
import { limitRowOf, median, type Row } from './row.js'

/** How often memory is looked at, in milliseconds. */
const LOOK_EVERY_MS = 5_000

const BESIDE = 'dockerd and containerd'

/**
 * What a daemon takes that has nothing to do: memory, its programs included, and the processor. Once, over the time given, in
 * seconds; nobody else may use the Engine meanwhile.
 */
export async function benchIdle({ daemonPid }: Pick<BenchHost, 'daemonPid'>, seconds: number): Promise<Row[]> {
  const memory: { readonly ours: number; readonly other: number }[] = []
  const [before, engineBefore, began] = [
    await processorTime(daemonPid),
    await processorTimeOfEngine(),
    performance.now(),
  ]
  while (performance.now() - began < seconds * 1000) {
    await delay(LOOK_EVERY_MS)
    const [ours, other] = [[daemonPid, ...(await descendantsOf(daemonPid))], await enginePids()]
    memory.push({ ours: await residentMiB(ours), other: await residentMiB(other) })
  }
  const elapsed = performance.now() - began
  const [after, engineAfter] = [await processorTime(daemonPid), await processorTimeOfEngine()]
  const share = (ms: number) => (100 * ms) / elapsed
  return [
    limitRowOf(
      { work: `memory of an idle daemon, median of ${memory.length} looks`, beside: BESIDE, limit: 120, unit: 'MiB' },
      [{ ours: median(memory.map(({ ours }) => ours)), other: median(memory.map(({ other }) => other)) }],
    ),
    limitRowOf(
      {
        work: `processor of an idle daemon, over ${Math.round(elapsed / 1000)} s`,
        beside: BESIDE,
        limit: 0.5,
        unit: '%',
      },
      [
        {
          ours: share(after.own + after.helpers - before.own - before.helpers),
          other: share(engineAfter - engineBefore),
        },
      ],
    ),
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
