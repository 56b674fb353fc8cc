import { setTimeout as delay } from 'node:timers/promises'
import { Unavailable, errnoOf } from '../../base/errors.js'
import { readKernelFile } from '../host/kernel-file.js'
import type { Container } from './container.js'

/** A process of the host. */
export interface HostProcess {
  hasEnded(): boolean
}

const INTERVAL_MS = 1_000

/**
 * The shortest and the longest pause while a process is expected to end, in milliseconds, and the share of the time so far that is the
 * next one.
 */
const SHORTEST_PAUSE_MS = 1
const PAUSE_SHARE = 1 / 8
const LONGEST_PAUSE_MS = 1_000

/** How long a busy Engine may take to notice the end of a container. */
const NOTICE_MS = 15_000

/**
 * Rejects with `Unavailable` (`engine-down`) when the init of a container has ended, and the Engine does not know that. It
 * learns of it from containerd, and containerd from the shim, the parent of init. When both are killed, nobody tells the
 * Engine, which says that the container runs, for as long as it is asked.
 *
 * @param signal ends the watch, which then never settles
 */
export async function unnoticedEnd(
  container: Pick<Container, 'exitCode'>,
  init: HostProcess,
  signal: AbortSignal,
  { intervalMs = INTERVAL_MS, noticeMs = NOTICE_MS } = {},
): Promise<never> {
  const pause = (ms: number) => delay(ms, undefined, { signal, ref: false })
  try {
    while (!init.hasEnded()) await pause(intervalMs)
    await pause(noticeMs)
    // One that has noticed tells the waiting request; one that is down ends the container for another cause.
    while ((await container.exitCode().catch(() => 0)) !== undefined) await pause(noticeMs)
  } catch (error) {
    if (!signal.aborted) throw error
    return await new Promise<never>(() => undefined)
  }
  throw new Unavailable(
    'engine-down',
    'The Docker Engine takes a container for running whose processes have ended: containerd was killed with its shims, and must be left to end by itself.',
  )
}

/**
 * Resolves when the process has ended, which is expected soon. When the init of a container has, no process of it is left:
 * the kernel ends the others first.
 *
 * @param signal ends the wait, which then resolves, too
 */
export async function untilEnded(init: HostProcess, signal: AbortSignal): Promise<void> {
  const since = performance.now()
  while (!signal.aborted && !init.hasEnded()) {
    const pause = Math.max(SHORTEST_PAUSE_MS, (performance.now() - since) * PAUSE_SHARE)
    await delay(Math.min(pause, LONGEST_PAUSE_MS), undefined, { signal, ref: false }).catch(() => undefined)
  }
}

/** Also when its id is used again, which the time of its start tells. */
export function hostProcess(pid: number): HostProcess {
  const started = startOf(pid)
  return { hasEnded: () => started === undefined || startOf(pid) !== started }
}

/** In ticks since the boot; undefined for a process that has ended, although its parent may not have noticed. */
function startOf(pid: number): string | undefined {
  try {
    const text = readKernelFile(`/proc/${pid}/stat`)
    // The name of the program, which may contain spaces, ends with the last parenthesis.
    const [state, ...fields] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    // The first thread of a process may end before the others: then it looks ended, but counts them.
    const [threads, started] = [fields[16], fields[18]]
    return (state === 'Z' && Number(threads) <= 1) || state === 'X' ? undefined : started
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined
    throw error
  }
}
