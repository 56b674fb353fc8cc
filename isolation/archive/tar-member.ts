import { bytesOf } from './names.js'
import { BLOCK } from './tar-header.js'

/**
 * A member that stagerd writes itself, because there is no file on disk to archive: empty, owned by root, with time 0
 * and mode 0. GNU tar writes all other members.
 */
export interface EmptyMember {
  /** Bytes as latin1, from the root, without a leading slash. */
  readonly path: string
  /** A character device has the numbers 0:0, as an overlayfs whiteout. */
  readonly kind: 'file' | 'character-device'
}

const NAME_FIELD = 100

/** The blocks of the member. A path that is too long for the header is written to an extended header before it. */
export function emptyMember({ path, kind }: EmptyMember): Buffer {
  const type = kind === 'file' ? '0' : '3'
  if (path.length <= NAME_FIELD) return header(path, type, 0)
  const record = paxRecord('path', path)
  const padding = Buffer.alloc((BLOCK - (record.length % BLOCK)) % BLOCK)
  return Buffer.concat([header('PaxHeaders/path', 'x', record.length), record, padding, header('long', type, 0)])
}

/** Two blocks of zeros, which end an archive. */
export const END_OF_ARCHIVE = Buffer.alloc(2 * BLOCK)

function paxRecord(key: string, value: string): Buffer {
  const rest = bytesOf(` ${key}=${value}\n`)
  // The length counts its own digits.
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.concat([bytesOf(String(length)), rest])
}

function header(name: string, type: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  block.write(name, 0, 'latin1')
  block.write('0000000\0', 100, 'latin1')
  block.write('0000000\0', 108, 'latin1')
  block.write('0000000\0', 116, 'latin1')
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  block.write('00000000000\0', 136, 'latin1')
  block.write('        ', 148, 'latin1')
  block.write(type, 156, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  block.write('0000000\0', 329, 'latin1')
  block.write('0000000\0', 337, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}
