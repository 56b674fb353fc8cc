import { availableParallelism } from 'node:os'
import type Docker from 'dockerode'
import type { Limits } from '../launch-plan.js'

/**
 * The limits that the kernel keeps by itself. Disk and time are watched: the kernel could limit the length of a file
 * (RLIMIT_FSIZE), but a hole of a tebibyte takes nothing from anybody, and a thousand short files can take everything.
 */
export function limitOptions(limits: Limits): Docker.HostConfig {
  return {
    Memory: limits.memoryBytes,
    // The sum of memory and swap: equal to the memory, there is no swap to fall back on.
    MemorySwap: limits.memoryBytes,
    // The Engine refuses more processors than there are.
    NanoCpus: Math.round(Math.min(limits.cpus, availableParallelism()) * 1e9),
    PidsLimit: limits.pids,
    Ulimits: [
      // What the kernel gives by default. More than the Engine has itself would keep the container from starting; and
      // where the Engine has a billion, programs that close every possible descriptor take minutes.
      { Name: 'nofile', Soft: 1024, Hard: 4096 },
      // A core of a program is written wherever the host's core_pattern says, which may be outside every limit.
      { Name: 'core', Soft: 0, Hard: 0 },
    ],
  }
}
