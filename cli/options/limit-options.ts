import type { Command } from 'commander'
import type { Limits } from '../../daemon/documents/limits.js'
import { parseDuration } from './parse-duration.js'
import { parseCpus, integerParser } from './parse-number.js'
import { parseSize } from './parse-size.js'

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
    .option('--memory <size>', 'memory limit, such as 256MB', parseSize)
    .option('--cpus <n>', 'number of CPUs, such as 0.5 or 2', parseCpus)
    .option('--pids <n>', 'limit of processes and threads', integerParser(2, '512'))
    .option('--disk <size>', 'limit of data written to disk, such as 1GB', parseSize)
    .option('--timeout <duration>', 'time limit, such as 10m', parseDuration)
}

/** Undefined without any of the options. */
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
