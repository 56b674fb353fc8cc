import { BadInput } from '../../base/errors.js'
import { TAR_BLOCK } from '../../base/tar-blocks.js'
import { show } from './names.js'
import { oldSparseHeader, type SparseHeader } from './sparse-map.js'
import { parseNumber } from './tar-number.js'

/** The fields of one header block of a tar archive. Extended headers may override them. */
export interface TarHeader {
  readonly type: string
  readonly name: string
  readonly linkName: string
  /** Whether `name` includes the prefix of the POSIX format. */
  readonly hasPrefix: boolean
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** In seconds. */
  readonly mtime: number
  /** For an old GNU sparse file (type S). */
  readonly sparse: SparseHeader | undefined
}

/** Offsets of the field. */
const CHECKSUM: { readonly start: number; readonly end: number } = { start: 148, end: 156 }

/** Returns undefined when the checksum does not match: the block is not a header. */
export function parseHeader(block: Buffer): TarHeader | undefined {
  if (!checksumHolds(block)) return undefined
  const magic = block.toString('latin1', 257, 265)
  const isPosix = magic.startsWith('ustar\0')
  const isGnu = magic === 'ustar  \0'
  const type = String.fromCharCode(block[156] ?? 0)
  const prefix = isPosix ? text(block, 345, 155) : ''
  const base = text(block, 0, 100)
  const name = prefix === '' ? base : `${prefix}/${base}`
  const number = (field: string, start: number, length: number) => {
    const value = parseNumber(block, start, start + length)
    if (value === undefined)
      throw new BadInput('archive-corrupt', `The header of entry ${show(name)} has an invalid ${field}.`)
    return value
  }
  // Extended headers and long names describe the next entry: only their size is used.
  const describesAnother = type === 'x' || type === 'g' || type === 'L' || type === 'K'
  return {
    type,
    name,
    linkName: text(block, 157, 100),
    hasPrefix: isPosix,
    size: number('size', 124, 12),
    mode: describesAnother ? 0 : number('mode', 100, 8),
    uid: describesAnother ? 0 : number('owner', 108, 8),
    gid: describesAnother ? 0 : number('group', 116, 8),
    mtime: describesAnother ? 0 : number('time', 136, 12),
    sparse: type === 'S' && isGnu ? oldSparseHeader(block) : undefined,
  }
}

export function isZeros(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}

/** The length of `size` bytes with the padding after them. */
export function padded(size: number): number {
  return Math.ceil(size / TAR_BLOCK) * TAR_BLOCK
}

/** Writes a field of text, which NULs fill up. It must fit. */
export function writeText(
  block: Buffer,
  { at, length }: { readonly at: number; readonly length: number },
  text: string,
): void {
  block.fill(0, at, at + length)
  block.write(text, at, 'latin1')
}

/** Writes the checksum. Returns `block`. */
export function sealHeader(block: Buffer): Buffer {
  block.write('        ', 148, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/**
 * Sum of the bytes of the block, with the checksum field read as blanks. Old archivers sum signed characters.
 *
 * A source of fifty thousand files has a hundred thousand headers: what is done for each must be cheap.
 */
function checksumHolds(block: Buffer): boolean {
  const stated = parseNumber(block, CHECKSUM.start, CHECKSUM.end)
  let unsigned = 0
  let negative = 0
  for (let index = 0; index < TAR_BLOCK; index++) {
    const byte = block[index] ?? 0
    unsigned += byte
    negative += byte >> 7
  }
  for (let index = CHECKSUM.start; index < CHECKSUM.end; index++) {
    const byte = block[index] ?? 0
    unsigned += 0x20 - byte
    negative -= byte >> 7
  }
  return stated === unsigned || stated === unsigned - 256 * negative
}

function text(block: Buffer, start: number, length: number): string {
  if (block[start] === 0) return ''
  const end = block.indexOf(0, start)
  return block.toString('latin1', start, end < 0 || end > start + length ? start + length : end)
}
