import type { WaitingUse } from '../../isolation/isolation.js'

/**
 * The memory that one may use while it waits. A shell that waits needs about one MiB. But the shell is that of the root, and
 * whoever made it decides what it does, within the limits of its stager, in a time in which no staging runs.
 */
export const MOST_WAITING_BYTES = 32 * 2 ** 20
/** The same of the processor, in milliseconds: a shell needs some ten to begin. */
const MOST_WAITING_PROCESSOR_MS = 1_000

/**
 * Whether it is more than a shell needs that reads a line.
 *
 * @param mostDisk what the stager may write, in bytes
 */
export function isMoreThanWaiting(
  { memoryBytes, processes, processorMs, diskBytes }: WaitingUse,
  mostDisk: number,
): boolean {
  const isIdle = processes <= 1 && processorMs <= MOST_WAITING_PROCESSOR_MS
  return !isIdle || memoryBytes > MOST_WAITING_BYTES || diskBytes > mostDisk
}
