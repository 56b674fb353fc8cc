import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { chooseCompressor } from '../../isolation/archive/compressor.js'
import type { BenchHost } from './host.js'
import { timed } from './transfers.js'

export const FLOOR = 'tar | compressor | file, fsynced'

/** The least that a snapshot can be: nothing is frozen, planned, confined, hashed or looked up. */
export async function floorOf(host: BenchHost): Promise<(upper: string) => Promise<number>> {
  const compress = await compressorCommand()
  const file = join(host.work, 'floor.tar.gz')
  return async (upper) => {
    const took = await timed(() =>
      execa('sh', ['-ec', `tar -cf - -C "$1" . | ${compress} >"$2"; sync "$2"`, 'sh', upper, file]),
    )
    await rm(file)
    return took
  }
}

/** What nobody who compresses by it can be faster than: the compressor, with a finished archive that is in memory. */
export async function compressorAlone(host: BenchHost, upper: string): Promise<number> {
  const archive = join(host.work, 'finished.tar')
  const compress = await compressorCommand()
  await execa('tar', ['--format=pax', '-cf', archive, '-C', upper, '.'])
  const took = await timed(() => execa('sh', ['-ec', `${compress} <"$1" >/dev/null`, 'sh', archive]))
  await rm(archive)
  return took
}

async function compressorCommand(): Promise<string> {
  const { name, level } = await chooseCompressor()
  return name === 'zlib' ? `gzip -${level}` : `${name} -${level} -c`
}
