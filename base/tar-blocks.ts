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
export function tarBlock({
  name,
  prefix = '',
  type,
  mode = 0,
  owner = 0,
  size = 0,
  time = 0,
  target = '',
}: TarBlock): Buffer {
  const block = Buffer.alloc(TAR_BLOCK)
  const write = (text: string, at: number, length = text.length) => block.write(text, at, length, 'latin1')
  write(name, 0, NAME_FIELD)
  write(octal(mode, 7), 100)
  write(octal(owner, 7), 108)
  write(octal(owner, 7), 116)
  write(octal(size, 11), 124)
  write(octal(time, 11), 136)
  write('        ', 148)
  write(type, 156)
  write(target, 157, NAME_FIELD)
  write('ustar\x0000', 257)
  write('0000000', 329)
  write('0000000', 337)
  write(prefix, 345, PREFIX_FIELD)
  let sum = 0
  for (const byte of block) sum += byte
  write(`${octal(sum, 6)}\0 `, 148)
  return block
}

/** The block and data of an extended header with these records; empty without records. Strings are bytes as latin1. */
export function extendedHeader(records: Readonly<Record<string, string | undefined>>, name: string): Buffer {
  let text = ''
  for (const [key, value] of Object.entries(records)) if (value !== undefined) text += paxRecord(key, value)
  if (text === '') return Buffer.alloc(0)
  const size = Math.ceil(text.length / TAR_BLOCK) * TAR_BLOCK
  const blocks = Buffer.alloc(TAR_BLOCK + size)
  blocks.set(tarBlock({ name, type: 'x', size: text.length }))
  blocks.write(text, TAR_BLOCK, 'latin1')
  return blocks
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
  const records = {
    path: split && !isForeign(path) ? undefined : path,
    linkpath: target.length <= NAME_FIELD && !isForeign(target) ? undefined : target,
    size: size < SIZE_LIMIT ? undefined : String(size),
    mtime: time.record,
  }
  const fields = { type: TYPES[kind], mode, owner, time: time.field, target, size: size < SIZE_LIMIT ? size : 0 }
  const block = tarBlock({ ...(split ?? { name: path }), ...fields })
  const extended = extendedHeader(records, 'PaxHeader')
  return extended.length === 0 ? block : Buffer.concat([extended, block])
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

/** Format: `LENGTH KEY=VALUE\n`. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  // The length counts its own digits.
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}
