import { pipeline, type Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { Fault } from '../../base/errors.js'
import type { CompressorChoice, CompressorName } from '../compressor-choice.js'
import { confined } from './confined.js'
import { type Filter, throughProcesses } from './filter-process.js'
import { hasProgram } from './find-program.js'

/** Compresses to gzip, because stagers run `tar -xzf` on their downloads. The same input gives the same output. */
export interface Compressor {
  readonly name: CompressorName
  /** 0 to 3 for igzip, 0 to 9 for the others. The two scales are not comparable. */
  readonly level: number
  /** The same compressor as a host program, for use in a chain; undefined for zlib. */
  readonly filter: Filter | undefined
  /**
   * Destroying the result stops the compressor and destroys `input`. An error of `input` becomes an error of the
   * result.
   */
  compress(input: Readable, signal?: AbortSignal): Readable
}

export const FASTEST: CompressorChoice = { name: 'auto', level: 1 }

/**
 * Returns the requested compressor, or the fastest on the host. For 204 MB of Debian at level 1, igzip takes 0.6 s,
 * pigz on two cores 1.5 s, and zlib 3.2 s. The output sizes are about equal.
 *
 * Throws `Fault` (`tool-missing`) when the requested compressor is not installed.
 */
export async function chooseCompressor(
  { name, level }: CompressorChoice = FASTEST,
  has: (program: string) => Promise<boolean> = hasProgram,
): Promise<Compressor> {
  const isWanted = (one: CompressorName) => name === 'auto' || name === one
  // igzip has levels 0 to 3. Its level 3 compresses about as well as level 4 of the others.
  if (isWanted('igzip') && (await has('igzip'))) return processCompressor('igzip', Math.min(level, 3), ['-c', '-n'])
  // -n leaves name and time out of the header.
  if (isWanted('pigz') && (await has('pigz'))) return processCompressor('pigz', level, ['-c', '-n'])
  if (!isWanted('zlib'))
    throw new Fault(
      'tool-missing',
      `The compressor ${name} is not installed on this host: install it, or choose another one.`,
    )
  return {
    name: 'zlib',
    level,
    filter: undefined,
    compress: (input) => {
      const gzip = createGzip({ level })
      pipeline(input, gzip, () => undefined)
      return gzip
    },
  }
}

function processCompressor(name: 'igzip' | 'pigz', level: number, options: readonly string[]): Compressor {
  const filter: Filter = {
    argv: confined([name, `-${level}`, ...options]),
    checkExit: (exit) =>
      exit.exitCode === 0 && exit.readAll
        ? undefined
        : new Fault('compression-failed', `${name} failed to compress: ${exit.stderr || 'it was killed'}.`),
  }
  return { name, level, filter, compress: (input, signal) => throughProcesses(input, [filter], signal) }
}
