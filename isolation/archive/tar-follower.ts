import { BadInput, TooLarge } from '../../base/errors.js'
import { type ArchiveLimits, EARLIEST_TIME, LARGEST_ID, LATEST_TIME, RATIO_FLOOR_BYTES } from './limits.js'
import { type Member, MemberLedger } from './member-ledger.js'
import { show } from './names.js'
import { type Extended, parsePaxRecords } from './pax-records.js'
import { BLOCK, isZeros, parseHeader, type TarHeader } from './tar-header.js'

/** Longest extended header or long name; tar itself writes a few kilobytes, attributes at most 64 KiB. */
const LONGEST_DESCRIPTION = 1024 * 1024
/** From here on a size does not fit the 11 octal digits of the old header, and the extended one alone is right. */
const OCTAL_LIMIT = 8 ** 11

type State =
  | { readonly at: 'header' }
  | { readonly at: 'sparse-map' }
  | { readonly at: 'data'; left: number }
  | { readonly at: 'description'; readonly type: string; left: number; readonly size: number; readonly parts: Buffer[] }
  | { readonly at: 'first-zero' }
  | { readonly at: 'end' }

/**
 * Follows the structure of a tar archive while its bytes go by: ustar, old GNU with long names and sparse files, PAX.
 *
 * It reads what GNU tar would read, and refuses wherever two readers could disagree: two sources for one name, a size
 * stated twice and differently, data behind a link, one zero block where two end an archive, anything behind them.
 *
 * Throws `BadInput` (`not-an-archive`, `archive-corrupt`, `archive-empty`, `archive-refused`) and `TooLarge`
 * (`archive-too-large`).
 */
export class TarFollower {
  readonly ledger: MemberLedger
  /** Of the uncompressed archive so far. */
  bytes = 0
  #state: State = { at: 'header' }
  #partial = Buffer.alloc(0)
  #extended: Extended | undefined
  #longName: string | undefined
  #longLink: string | undefined

  /** @param compressedBytes how many bytes have gone into the decompressor, if there is one */
  constructor(
    private readonly limits: ArchiveLimits,
    private readonly compressedBytes: () => number = () => Number.POSITIVE_INFINITY,
  ) {
    this.ledger = new MemberLedger(limits)
  }

  /** The bytes of `chunk` that belong to the archive, its two final zero blocks included; the padding behind is dropped. */
  push(chunk: Buffer): Buffer {
    this.#countBytes(chunk.length)
    let at = 0
    while (at < chunk.length) {
      const state = this.#state
      if (state.at === 'end') {
        if (!isZeros(chunk.subarray(at)))
          throw new BadInput('archive-refused', 'The archive is refused: more data follows its end; send one archive.')
        return chunk.subarray(0, at)
      }
      if (state.at === 'data') {
        const taken = Math.min(state.left, chunk.length - at)
        state.left -= taken
        at += taken
        if (state.left === 0) this.#state = { at: 'header' }
        continue
      }
      if (state.at === 'description') {
        const piece = chunk.subarray(at, at + state.left)
        state.parts.push(Buffer.from(piece))
        state.left -= piece.length
        at += piece.length
        if (state.left === 0) this.#describe(state.type, Buffer.concat(state.parts).subarray(0, state.size))
        continue
      }
      const wanted = BLOCK - this.#partial.length
      const piece = chunk.subarray(at, at + wanted)
      at += piece.length
      if (piece.length < wanted) this.#partial = Buffer.concat([this.#partial, piece])
      else {
        const block = this.#partial.length === 0 ? piece : Buffer.concat([this.#partial, piece])
        this.#partial = Buffer.alloc(0)
        this.#block(state.at, block)
      }
    }
    return chunk
  }

  /** To be called once after the last byte. */
  finish(): void {
    // Less than a block has no checksum that could be asked what it is.
    if (this.bytes < BLOCK) throw notAnArchive()
    if (this.#state.at !== 'end')
      throw new BadInput(
        'archive-corrupt',
        `The archive is cut short after ${this.ledger.entries} entries: two blocks of zeros end a whole one.`,
      )
    if (this.ledger.entries === 0)
      throw new BadInput('archive-empty', 'The archive holds no entries: pack at least one.')
  }

  #countBytes(count: number): void {
    this.bytes += count
    if (this.bytes > this.limits.bytes)
      throw new TooLarge(
        'archive-too-large',
        `The archive is refused: it unpacks to more than ${this.limits.bytes} bytes.`,
      )
    if (this.bytes > RATIO_FLOOR_BYTES && this.bytes > this.limits.ratio * this.compressedBytes())
      throw new TooLarge(
        'archive-too-large',
        `The archive is refused: it unpacks to more than ${this.limits.ratio} times its compressed size.`,
      )
  }

  #block(at: 'header' | 'sparse-map' | 'first-zero', block: Buffer): void {
    if (at === 'sparse-map') {
      // 21 pieces, and whether another such block follows.
      if (block[504] !== 1) this.#state = this.#dataOrHeader(this.#sparseData)
      return
    }
    if (isZeros(block)) {
      if (this.#extended || this.#longName !== undefined || this.#longLink !== undefined)
        throw new BadInput('archive-corrupt', 'The archive ends with a header that describes an entry, and no entry.')
      this.#state = at === 'first-zero' ? { at: 'end' } : { at: 'first-zero' }
      return
    }
    if (at === 'first-zero')
      throw new BadInput('archive-corrupt', 'The archive has one block of zeros in its midst: two end an archive.')
    const header = parseHeader(block)
    if (!header) {
      if (this.bytes <= BLOCK || this.ledger.entries === 0) throw notAnArchive()
      throw new BadInput(
        'archive-corrupt',
        `The archive is damaged after ${this.ledger.entries} entries: the checksum of a header is wrong.`,
      )
    }
    this.#header(header)
  }

  #sparseData = 0

  #header(header: TarHeader): void {
    switch (header.type) {
      case 'x':
      case 'g':
      case 'L':
      case 'K':
        this.#beginDescription(header)
        return
      default:
        this.#member(header)
    }
  }

  #beginDescription({ type, size }: TarHeader): void {
    if (size < 0 || size > LONGEST_DESCRIPTION)
      throw new BadInput(
        'archive-refused',
        `The archive is refused: a header that describes an entry has ${size} bytes.`,
      )
    const twice =
      (type === 'x' && this.#extended) ||
      (type === 'L' && this.#longName !== undefined) ||
      (type === 'K' && this.#longLink !== undefined)
    if (twice) throw new BadInput('archive-refused', 'The archive is refused: one entry is described twice.')
    this.#state = { at: 'description', type, left: padded(size), size, parts: [] }
    if (size === 0) this.#describe(type, Buffer.alloc(0))
  }

  #describe(type: string, body: Buffer): void {
    this.#state = { at: 'header' }
    switch (type) {
      case 'x':
        this.#extended = parsePaxRecords(body, 'entry')
        return
      case 'g':
        parsePaxRecords(body, 'global')
        return
      case 'L':
        this.#longName = longText(body)
        return
      default:
        this.#longLink = longText(body)
    }
  }

  #member(header: TarHeader): void {
    const extended = this.#extended ?? {}
    const name = extended.sparseName ?? extended.path ?? this.#longName ?? header.name
    const target = extended.linkPath ?? this.#longLink ?? header.linkName
    const refuse = (why: string): never => {
      throw new BadInput('archive-refused', `Entry ${show(name)} is refused: ${why}.`)
    }
    if (this.#longName !== undefined && extended.path !== undefined) refuse('it is named twice')
    if (this.#longLink !== undefined && extended.linkPath !== undefined) refuse('its target is named twice')
    this.#extended = this.#longName = this.#longLink = undefined

    const size = extended.size ?? header.size
    if (size < 0 || size > Number.MAX_SAFE_INTEGER - BLOCK) refuse('its size is not a sensible one')
    if (extended.size !== undefined && extended.size < OCTAL_LIMIT && extended.size !== header.size)
      refuse(`its headers state two sizes, ${header.size} and ${extended.size}`)
    for (const id of [extended.uid ?? header.uid, extended.gid ?? header.gid])
      if (id < 0 || id > LARGEST_ID) refuse(`its owner ${id} is out of range: ids are at most ${LARGEST_ID}`)
    const mtime = extended.mtime ?? header.mtime
    if (mtime < EARLIEST_TIME || mtime > LATEST_TIME) refuse('its time is one that a disk cannot keep (1901 to 2446)')

    const kind = kindOf(header, name, size, refuse)
    const apparentSize = kind === 'file' ? (extended.sparseSize ?? header.sparse?.realSize ?? size) : 0
    if (apparentSize < 0) refuse('its size is not a sensible one')
    this.ledger.add({ kind, name, target, apparentSize })
    if (header.sparse?.extended) {
      this.#sparseData = size
      this.#state = { at: 'sparse-map' }
    } else this.#state = this.#dataOrHeader(size)
  }

  #dataOrHeader(size: number): State {
    return size === 0 ? { at: 'header' } : { at: 'data', left: padded(size) }
  }
}

function kindOf(header: TarHeader, name: string, size: number, refuse: (why: string) => never): Member['kind'] {
  const empty = (kind: 'directory' | 'symlink' | 'hardlink') =>
    size === 0 ? kind : refuse(`it is a ${kind} and yet brings ${size} bytes`)
  switch (header.type) {
    case '0':
    case '\0':
    case '7':
      // Archives from before there was a type for directories.
      return name.endsWith('/') ? empty('directory') : 'file'
    case 'S':
      return header.sparse ? 'file' : refuse('it is a sparse file of an unknown format')
    case '1':
      return empty('hardlink')
    case '2':
      return empty('symlink')
    case '5':
      return empty('directory')
    case '3':
    case '4':
      return refuse('a package holds no devices')
    case '6':
      return refuse('a package holds no named pipes (FIFOs)')
    default:
      return refuse(`its type ${show(header.type)} is not one of file, directory, symbolic link and hard link`)
  }
}

/** GNU's long names end with a NUL, counted in their size. */
function longText(body: Buffer): string {
  const text = body.toString('latin1')
  const end = text.indexOf('\0')
  const name = end < 0 ? text : text.slice(0, end)
  if (end >= 0 && /[^\0]/.test(text.slice(end)))
    throw new BadInput('archive-refused', `Entry ${show(name)} is refused: its name holds a NUL byte.`)
  return name
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK
}

function notAnArchive(): BadInput {
  return new BadInput(
    'not-an-archive',
    'This is not an archive: a tar file is expected, plain or compressed by gzip, bzip2, xz or zstd.',
  )
}
