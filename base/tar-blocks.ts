import type { TarTime } from './tar-time.js'

export const TAR_BLOCK = 512
const NAME_FIELD = 100
const PREFIX_FIELD = 155
const SIZE_LIMIT = 8 ** 11

/** Two blocks of zeros, which end an archive. */
export const END_OF_ARCHIVE = Buffer.alloc(2 * TAR_BLOCK)

/** What one header block holds. Strings are bytes as latin1. What is longer than its field is cut off. */
export interface TarBlock {
  readonly name: string
  /** Joined with `name` by a slash; empty for none. */
  readonly prefix?: string
  /** '0' file, '2' symbolic link, '3' character device, '5' directory, 'x' extended header. */
  readonly type: string
  readonly mode?: number
  readonly owner?: number
  readonly size?: number
  /** Seconds since 1970. */
  readonly time?: number
  readonly target?: string
}

/** A header block of format ustar. */
export function tarBlock(fields: TarBlock): Buffer {
  const block = Buffer.allocUnsafe(TAR_BLOCK)
  writeBlock(block, 0, fields)
  return block
}

/**
 * Packing a source makes a hundred thousand blocks: numbers that became strings first would take longer than reading the
 * files.
 */
function writeBlock(into: Buffer, start: number, fields: TarBlock): void {
  const { name, prefix = '', type, mode = 0, owner = 0, size = 0, time = 0, target = '' } = fields
  TEMPLATE.copy(into, start)
  into.write(name, start, NAME_FIELD, 'latin1')
  writeOctal(into, mode, start + 100, 7)
  writeOctal(into, owner, start + 108, 7)
  writeOctal(into, owner, start + 116, 7)
  writeOctal(into, size, start + 124, 11)
  writeOctal(into, time, start + 136, 11)
  into[start + 156] = type.charCodeAt(0)
  if (target !== '') into.write(target, start + 157, NAME_FIELD, 'latin1')
  if (prefix !== '') into.write(prefix, start + 345, PREFIX_FIELD, 'latin1')
  let sum = 0
  for (let at = start; at < start + TAR_BLOCK; at++) sum += into[at] ?? 0
  writeOctal(into, sum, start + 148, 6)
  into[start + 154] = 0
}

/** What all headers have in common. The checksum is that of a block with blanks in its place. */
const TEMPLATE = (() => {
  const block = Buffer.alloc(TAR_BLOCK)
  block.write(' '.repeat(8), 148, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  for (const at of [329, 337]) block.write('0000000', at, 'latin1')
  return block
})()

function writeOctal(block: Buffer, value: number, at: number, digits: number): void {
  // Not by bits: sizes and times have more than 32.
  for (let place = at + digits - 1, left = value; place >= at; place--) {
    const rest = Math.floor(left / 8)
    block[place] = 48 + left - rest * 8
    left = rest
  }
}

/** The block and data of an extended header with this record. Strings are bytes as latin1. */
export function extendedHeader(key: string, value: string, name: string): Buffer {
  const text = paxRecord(key, value)
  const blocks = Buffer.alloc(extendedLength(text))
  writeExtended(blocks, text, name)
  return blocks
}

function extendedLength(text: string): number {
  return text === '' ? 0 : TAR_BLOCK + Math.ceil(text.length / TAR_BLOCK) * TAR_BLOCK
}

/** @param into zeros */
function writeExtended(into: Buffer, text: string, name: string): void {
  writeBlock(into, 0, { name, type: 'x', size: text.length })
  into.write(text, TAR_BLOCK, 'latin1')
}

export interface TarEntry {
  /** Bytes as latin1, from the root of the archive, without leading and trailing slashes. */
  readonly path: string
  readonly kind: 'file' | 'directory' | 'symlink'
  readonly mode: number
  readonly owner: number
  readonly time: TarTime
  /** Of a file, in bytes. */
  readonly size?: number
  /** Of a symbolic link; bytes as latin1. */
  readonly target?: string
}

const TYPES = { file: '0', directory: '5', symlink: '2' } as const

/**
 * The headers of an entry; its data follow. An extended header is written only for what the fields cannot hold. Names
 * in UTF-8 are there too where they are not ASCII, because readers may take the fields for another character set.
 */
export function tarEntry({ path, kind, mode, owner, time, size = 0, target = '' }: TarEntry): Buffer {
  const split = splitName(path)
  let text = ''
  if (!split || isForeign(path)) text += paxRecord('path', path)
  if (target.length > NAME_FIELD || isForeign(target)) text += paxRecord('linkpath', target)
  if (size >= SIZE_LIMIT) text += paxRecord('size', String(size))
  if (time.record !== undefined) text += paxRecord('mtime', time.record)
  const start = extendedLength(text)
  const headers = Buffer.alloc(start + TAR_BLOCK)
  if (start > 0) writeExtended(headers, text, 'PaxHeader')
  const { name, prefix } = split ?? { name: path, prefix: '' }
  const fieldSize = size < SIZE_LIMIT ? size : 0
  writeBlock(headers, start, {
    name,
    prefix,
    type: TYPES[kind],
    mode,
    owner,
    time: time.field,
    target,
    size: fieldSize,
  })
  return headers
}

/** Fields that together hold `name`, divided at a slash; undefined where no slash is in the right place. */
function splitName(name: string): { readonly prefix: string; readonly name: string } | undefined {
  if (name.length <= NAME_FIELD) return { prefix: '', name }
  const at = name.indexOf('/', name.length - NAME_FIELD - 1)
  if (at < 1 || at > PREFIX_FIELD) return undefined
  return { prefix: name.slice(0, at), name: name.slice(at + 1) }
}

function isForeign(bytes: string): boolean {
  return /[^\0-\x7f]/.test(bytes)
}

/** The record `LENGTH KEY=VALUE\n` of an extended header. Strings are bytes as latin1. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  // The length counts its own digits.
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}
