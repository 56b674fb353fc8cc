import type { Readable } from 'node:stream'
import { BadInput } from '../../base/errors.js'
import type { Compression } from './compression.js'
import { confined } from './confined.js'
import { type FilterEnd, throughProcess } from './filter-process.js'
import { hasProgram } from './find-program.js'

export interface DecompressOptions {
  readonly signal?: AbortSignal | undefined
  /**
   * Refuse bytes behind the end of a gzip stream. igzip, faster than any other, passes over them in silence: so it
   * is for what was looked at strictly once, when it came in.
   */
  readonly strict: boolean
}

/**
 * `input` without its compression, made by a process of its own that can reach nothing. The stream errs with `BadInput`
 * (`archive-corrupt`) where the content is damaged, cut short or followed by something else.
 */
export async function decompress(
  input: Readable,
  compression: Compression,
  { signal, strict }: DecompressOptions,
): Promise<Readable> {
  if (compression === 'none') return input
  const argv = await decompressor(compression, strict)
  signal?.throwIfAborted()
  return throughProcess(input, confined(argv), { signal, judge: (end) => judge(compression, end) })
}

async function decompressor(compression: Exclude<Compression, 'none'>, strict: boolean): Promise<string[]> {
  switch (compression) {
    case 'gzip':
      if (!strict && (await hasProgram('igzip'))) return ['igzip', '-d', '-c']
      // Only when it is told to talk does pigz object to what follows the end. It takes a quarter to two thirds of the
      // time of gzip, which computes its checksum byte by byte. More threads would inflate no faster: they hand every
      // piece to each other, and where processors are busy that takes as long again.
      return (await hasProgram('pigz')) ? ['pigz', '-p', '1', '-d', '-c', '-v'] : ['gzip', '-d', '-c']
    case 'bzip2':
      return ['bzip2', '-d', '-c']
    case 'xz':
      return ['xz', '-d', '-c', '--memlimit-decompress=512MiB']
    case 'zstd':
      return ['zstd', '-d', '-c', '-q', '--memory=512MB']
  }
}

/** What a talkative pigz says of a stream in any case. */
const PIGZ_AT_WORK = '<stdin> to <stdout>'

/** bzip2 warns of bytes behind the end and exits 0: so anything that a decompressor has to say is an objection. */
function judge(compression: Compression, end: FilterEnd): Error | undefined {
  const said = end.stderr.replace(PIGZ_AT_WORK, '').trim()
  if (end.exitCode === 0 && said === '' && end.readAll) return undefined
  const detail = said.split('\n')[0] ?? ''
  return new BadInput(
    'archive-corrupt',
    `The archive is not sound ${compression} data${detail === '' ? '' : ` (${detail})`}: it is damaged, cut short, or followed by something else; send it again, whole.`,
  )
}
