import { availableParallelism } from 'node:os'
import type Docker from 'dockerode'
import type { Limits } from '../launch-plan.js'

/** How many descriptors a program may have open, unless it asks for more. */
export const DESCRIPTORS = 1024

/**
 * The limits that the kernel enforces. limit-watch.ts enforces the disk limit: RLIMIT_FSIZE limits the length of a file,
 * but a sparse file of a tebibyte uses no space, and many short files can use all of it.
 */
export function limitOptions(limits: Limits): Docker.HostConfig {
  return {
    Memory: limits.memoryBytes,
    // The sum of memory and swap. Equal to the memory, it allows no swap.
    MemorySwap: limits.memoryBytes,
    // The Engine rejects more CPUs than the host has.
    NanoCpus: Math.round(Math.min(limits.cpus, availableParallelism()) * 1e9),
    PidsLimit: limits.pids,
    Ulimits: [
      // The defaults of the kernel. With more than the Engine itself has, the container would not start. Where the Engine
      // has a billion, programs that close every possible descriptor take minutes.
      { Name: 'nofile', Soft: DESCRIPTORS, Hard: 4096 },
      // core_pattern of the host decides where a core dump is written: perhaps outside of the disk limit.
      { Name: 'core', Soft: 0, Hard: 0 },
    ],
  }
}
