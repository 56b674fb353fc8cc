import type { Command } from 'commander'
import type { Limits } from '../../daemon/documents/limits.js'
import { parseDuration } from './parse-duration.js'
import { parseCpus, wholeNumber } from './parse-number.js'
import { parseSize } from './parse-size.js'

export interface LimitOptions {
  readonly memory?: number
  readonly cpus?: number
  readonly pids?: number
  readonly disk?: number
  readonly timeout?: number
}

/** Options of stagers and of runs. */
export function addLimitOptions(command: Command): Command {
  return command
    .option('--memory <size>', 'the most memory, such as 256MB', parseSize)
    .option('--cpus <n>', 'how many processors, such as 0.5 or 2', parseCpus)
    .option('--pids <n>', 'the most processes and threads', wholeNumber(2, '512'))
    .option('--disk <size>', 'the most that it may write, such as 1GB', parseSize)
    .option('--timeout <duration>', 'the longest that it may run, such as 10m', parseDuration)
}

/** Undefined when none was given. */
export function limitsOf({ memory, cpus, pids, disk, timeout }: LimitOptions): Partial<Limits> | undefined {
  const limits: Partial<Limits> = {
    ...(memory === undefined ? {} : { memory_bytes: memory }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(pids === undefined ? {} : { pids }),
    ...(disk === undefined ? {} : { disk_bytes: disk }),
    ...(timeout === undefined ? {} : { timeout_ms: timeout }),
  }
  return Object.keys(limits).length > 0 ? limits : undefined
}
