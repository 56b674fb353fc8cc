import type { Command } from 'commander'
import { quote } from '../../base/fqn.js'
import { SMALLEST_LIMITS } from '../../base/smallest-limits.js'
import type { Limits } from '../../daemon/documents/limits.js'
import { parseDuration } from './parse-duration.js'
import { formatBytes } from '../display/progress.js'
import { parseCpus, integerParser } from './parse-number.js'
import { parseSize } from './parse-size.js'
import { UsageError } from './usage-error.js'

const { memoryBytes, pids, diskBytes, timeoutMs } = SMALLEST_LIMITS

export interface LimitOptions {
  readonly memory?: number
  readonly cpus?: number
  readonly pids?: number
  readonly disk?: number
  readonly timeout?: number
}

/** The limit options of `stager create`, `stager update` and `run`. */
export function addLimitOptions(command: Command): Command {
  return command
    .option('-m, --memory <size>', 'memory limit, such as 256MB', sizeOfAtLeast(memoryBytes))
    .option('--cpus <n>', 'number of CPUs, such as 0.5 or 2', parseCpus)
    .option('--pids <n>', 'limit of processes and threads', integerParser(pids, '512'))
    .option('--disk <size>', 'limit of data written to disk, such as 1GB', sizeOfAtLeast(diskBytes))
    .option('--timeout <duration>', 'time limit, such as 10m', parseTimeout)
}

/** A limit without its unit is a slip: it would be a few bytes. */
function sizeOfAtLeast(smallest: number): (text: string) => number {
  return (text) => {
    const size = parseSize(text)
    if (size < smallest)
      throw new UsageError(
        `${quote(text)} is too small a limit: the smallest is ${formatBytes(smallest)}; write it with a unit, such as 256MB.`,
      )
    return size
  }
}

function parseTimeout(text: string): number {
  const timeout = parseDuration(text)
  if (timeout < timeoutMs) throw new UsageError(`${quote(text)} is too short a time limit: the shortest is 1s.`)
  return timeout
}

/** Undefined without any of the options. */
export function limitsOf({ memory, cpus, pids: processes, disk, timeout }: LimitOptions): Partial<Limits> | undefined {
  const limits: Partial<Limits> = {
    ...(memory === undefined ? {} : { memory_bytes: memory }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(processes === undefined ? {} : { pids: processes }),
    ...(disk === undefined ? {} : { disk_bytes: disk }),
    ...(timeout === undefined ? {} : { timeout_ms: timeout }),
  }
  return Object.keys(limits).length > 0 ? limits : undefined
}
