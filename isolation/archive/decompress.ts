import type { Readable } from 'node:stream'
import { BadInput } from '../../base/errors.js'
import type { Compression } from '../compression.js'
import { confined } from './confined.js'
import { type FilterExit, throughProcess } from './filter-process.js'
import { hasProgram } from './find-program.js'

export interface DecompressOptions {
  readonly signal?: AbortSignal | undefined
  /**
   * Rejects bytes after the end of a gzip stream. igzip is the fastest decompressor but ignores such bytes silently, so
   * it is used only for data that was checked strictly at upload.
   */
  readonly strict: boolean
}

/**
 * Decompresses `input` in a separate, confined process. The stream fails with `BadInput` (`archive-corrupt`) when the
 * content is damaged, truncated or followed by other data. Destroys `input` when it rejects.
 */
export async function decompress(
  input: Readable,
  compression: Compression,
  { signal, strict }: DecompressOptions,
): Promise<Readable> {
  if (compression === 'none') return input
  try {
    const argv = await decompressor(compression, strict)
    signal?.throwIfAborted()
    return throughProcess(input, confined(argv), { signal, checkExit: (exit) => checkExit(compression, exit) })
  } catch (error) {
    input.destroy()
    throw error
  }
}

async function decompressor(compression: Exclude<Compression, 'none'>, strict: boolean): Promise<string[]> {
  switch (compression) {
    case 'gzip':
      if (!strict && (await hasProgram('igzip'))) return ['igzip', '-d', '-c']
      // pigz reports trailing data only with -v. It needs a quarter to two thirds of the time of gzip, which computes
      // its checksum byte by byte. More threads do not decompress faster: they pass each block to each other, which
      // doubles the time on a busy host.
      return (await hasProgram('pigz')) ? ['pigz', '-p', '1', '-d', '-c', '-v'] : ['gzip', '-d', '-c']
    case 'bzip2':
      return ['bzip2', '-d', '-c']
    case 'xz':
      return ['xz', '-d', '-c', '--memlimit-decompress=512MiB']
    case 'zstd':
      return ['zstd', '-d', '-c', '-q', '--memory=512MB']
  }
}

/** `pigz -v` prints this for every stream. */
const PIGZ_PROGRESS = '<stdin> to <stdout>'

/** bzip2 only warns about trailing bytes and exits 0, so any output on standard error counts as a failure. */
function checkExit(compression: Compression, exit: FilterExit): Error | undefined {
  const message = exit.stderr.replace(PIGZ_PROGRESS, '').trim()
  if (exit.exitCode === 0 && message === '' && exit.readAll) return undefined
  const detail = message.split('\n')[0] ?? ''
  return new BadInput(
    'archive-corrupt',
    `The archive is not valid ${compression} data${detail === '' ? '' : ` (${detail})`}: it is damaged, truncated or followed by other data; send the whole archive again.`,
  )
}
