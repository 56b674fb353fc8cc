import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { chooseCompressor } from '../../isolation/archive/compressor.js'
import type { BenchHost } from './host.js'
import { timed } from './transfers.js'

export const BASELINE = 'tar | compressor | file, fsynced'

/** The lower bound for a snapshot: no freezing, planning, sandboxing, hashing or lookups. */
export async function prepareBaseline(host: BenchHost): Promise<(upper: string) => Promise<number>> {
  const compress = await compressorCommand()
  const file = join(host.work, 'baseline.tar.gz')
  return async (upper) => {
    const duration = await timed(() =>
      execa('sh', ['-ec', `tar -cf - -C "$1" . | ${compress} >"$2"; sync "$2"`, 'sh', upper, file]),
    )
    await rm(file)
    return duration
  }
}

/** The time of the compressor alone, with a finished archive in the page cache. */
export async function compressorAlone(host: BenchHost, upper: string): Promise<number> {
  const archive = join(host.work, 'finished.tar')
  const compress = await compressorCommand()
  await execa('tar', ['--format=pax', '-cf', archive, '-C', upper, '.'])
  const duration = await timed(() => execa('sh', ['-ec', `${compress} <"$1" >/dev/null`, 'sh', archive]))
  await rm(archive)
  return duration
}

async function compressorCommand(): Promise<string> {
  const { name, level } = await chooseCompressor()
  return name === 'zlib' ? `gzip -${level}` : `${name} -${level} -c`
}
