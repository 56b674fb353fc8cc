import { pipeline, type Readable } from 'node:stream'
import { Fault } from '../../base/errors.js'
import type { CompressorChoice, CompressorName } from '../compressor-choice.js'
import { confined } from './confined.js'
import { type Filter, throughProcesses } from './filter-process.js'
import { hasProgram } from './find-program.js'
import { GzipBlocks } from './gzip-blocks.js'
import { type ProcessorBudget, PROCESSORS } from './processor-budget.js'

/**
 * Compresses to gzip, because stagers run `tar -xzf` on their downloads. The same input gives the same output, also with other
 * numbers of processors, and beside other compressors.
 */
export interface Compressor {
  readonly name: CompressorName
  /** 0 to 3 for igzip, 0 to 9 for the others. The two scales are not comparable. */
  readonly level: number
  /**
   * Makes the same compressor as a host program, for use in one chain, which must be started at once; undefined for zlib.
   */
  readonly filter: (() => Filter) | undefined
  /**
   * Destroying the result stops the compressor and destroys `input`. An error of `input` becomes an error of the
   * result.
   */
  compress(input: Readable, signal?: AbortSignal): Readable
}

export const FASTEST: CompressorChoice = { name: 'auto', level: 1 }

/**
 * Returns the requested compressor, or the fastest on the host. At level 1, 100 MB take 0.2 s of a processor with igzip, 1.1 s with
 * pigz and 1.0 s with zlib; the output sizes are about equal. igzip has one thread in Debian 12 and 13. The others share
 * `budget`, so that they need five processors to be as fast.
 *
 * Throws `Fault` (`tool-missing`) when the requested compressor is not installed.
 */
export async function chooseCompressor(
  { name, level }: CompressorChoice = FASTEST,
  has: (program: string) => Promise<boolean> = hasProgram,
  budget: ProcessorBudget = PROCESSORS,
): Promise<Compressor> {
  const isWanted = (one: CompressorName) => name === 'auto' || name === one
  // igzip has levels 0 to 3. Its level 3 compresses about as well as level 4 of the others.
  if (isWanted('igzip') && (await has('igzip'))) {
    const igzipLevel = Math.min(level, 3)
    return programs('igzip', igzipLevel, () => filterOf(['igzip', `-${igzipLevel}`, '-c', '-n']))
  }
  if (isWanted('pigz') && (await has('pigz')))
    return programs('pigz', level, () => {
      const { threads, release } = budget.take()
      // Without -p, it starts as many threads as the host has processors, and writes other bytes if that is one. -n leaves
      // name and time out of the header.
      return { ...filterOf(['pigz', `-${level}`, '-c', '-n', '-p', `${threads}`]), onEnd: release }
    })
  if (!isWanted('zlib'))
    throw new Fault(
      'tool-missing',
      `The compressor ${name} is not installed on this host: install it, or choose another one.`,
    )
  return { name: 'zlib', level, filter: undefined, compress: (input) => inBlocks(input, level, budget) }
}

function programs(name: 'igzip' | 'pigz', level: number, filter: () => Filter): Compressor {
  return { name, level, filter, compress: (input, signal) => throughProcesses(input, [filter()], signal) }
}

function filterOf(argv: readonly [program: string, ...options: string[]]): Filter {
  return {
    argv: confined(argv),
    checkExit: (exit) =>
      exit.exitCode === 0 && exit.readAll
        ? undefined
        : new Fault('compression-failed', `${argv[0]} failed to compress: ${exit.stderr || 'it was killed'}.`),
  }
}

function inBlocks(input: Readable, level: number, budget: ProcessorBudget): Readable {
  const { threads, release } = budget.take()
  const gzip = new GzipBlocks({ level, atOnce: threads })
  gzip.once('close', release)
  pipeline(input, gzip, () => undefined)
  return gzip
}
