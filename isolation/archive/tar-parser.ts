import { BadInput, TooLarge } from '../../base/errors.js'
import { type ArchiveLimits, LARGEST_ID, RATIO_FLOOR_BYTES } from './limits.js'
import { ExpectedTree, type Member } from './expected-tree.js'
import type { MappedOwners } from './mapped-owners.js'
import { normalisePath, show } from './names.js'
import { type Extended, parsePaxRecords } from './pax-records.js'
import { TAR_BLOCK } from '../../base/tar-blocks.js'
import { assertMapped, kindOf, longText } from './tar-members.js'
import type { ArchiveObserver } from '../archive-observer.js'
import { type SparseHeader, SparseMap } from './sparse-map.js'
import { isZeros, padded, parseHeader, type TarHeader } from './tar-header.js'

/** Limit of an extended header or long name. tar itself writes a few kilobytes, attributes at most 64 KiB. */
const MAX_EXTENSION_BYTES = 1024 * 1024
/** A size of this value or more does not fit the 11 octal digits of the header: only the extended header has it. */
const OCTAL_LIMIT = 8 ** 11

type State =
  | { readonly at: 'header' }
  | { readonly at: 'sparse-map'; readonly map: SparseMap; readonly as: 'blocks' | 'text'; left: number }
  | { readonly at: 'data'; left: number; readonly padding: number }
  | { readonly at: 'extension'; readonly type: string; left: number; readonly size: number; readonly parts: Buffer[] }
  | { readonly at: 'first-zero' }
  | { readonly at: 'end' }

/**
 * A streaming parser for the structure of tar archives: ustar, old GNU with long names and sparse files, PAX.
 *
 * It reads an archive as GNU tar does, and refuses everything that two readers could interpret differently: two sources
 * for one name, two different sizes, data after a link, a single zero block, data after the final zero blocks.
 *
 * Throws `BadInput` (`not-an-archive`, `archive-corrupt`, `archive-empty`, `archive-refused`, `owner-not-mapped`) and
 * `TooLarge` (`archive-too-large`).
 */
export class TarParser {
  readonly tree: ExpectedTree
  /** Bytes of the uncompressed archive so far. */
  bytes = 0
  #state: State = { at: 'header' }
  #partial = Buffer.alloc(0)
  #extended: Extended | undefined
  #longName: string | undefined
  #longLink: string | undefined

  /**
   * @param compressedBytes the number of bytes that the decompressor has read, for the ratio limit
   * @param owners refuses every other owner
   * @param observer gets every entry
   * @param take gets every entry in place of `tree`, which stays empty: of a part of an archive
   */
  constructor(
    private readonly limits: ArchiveLimits,
    private readonly compressedBytes: () => number = () => Number.POSITIVE_INFINITY,
    private readonly owners?: MappedOwners,
    private readonly observer?: ArchiveObserver,
    private readonly take?: (member: Member) => void,
  ) {
    this.tree = new ExpectedTree(limits)
  }

  /** For a part of an archive that begins with the last `bytes` of a file and its padding: to be called before `push`. */
  beginWithin(bytes: number): void {
    this.#state = bytes === 0 ? { at: 'header' } : { at: 'data', left: bytes, padding: 0 }
  }

  /** How many bytes of a file and its padding are to come; undefined within anything else. */
  get position(): number | 'end' | undefined {
    if (this.#partial.length > 0 || this.#extended || this.#longName !== undefined || this.#longLink !== undefined)
      return undefined
    const state = this.#state
    if (state.at === 'header') return 0
    if (state.at === 'data') return state.left
    return state.at === 'end' ? 'end' : undefined
  }

  /**
   * Returns the bytes of `chunk` that belong to the archive, including its final zero blocks; drops the padding after
   * them.
   */
  push(chunk: Buffer): Buffer {
    this.#countBytes(chunk.length)
    let at = 0
    while (at < chunk.length) {
      const state = this.#state
      if (state.at === 'end') {
        if (!isZeros(chunk.subarray(at)))
          throw new BadInput('archive-refused', 'The archive is refused: data follows its end; send a single archive.')
        return chunk.subarray(0, at)
      }
      if (state.at === 'data') {
        const taken = Math.min(state.left, chunk.length - at)
        this.observer?.data(chunk.subarray(at, at + Math.min(taken, Math.max(0, state.left - state.padding))))
        state.left -= taken
        at += taken
        if (state.left === 0) this.#state = { at: 'header' }
        continue
      }
      if (state.at === 'extension') {
        const piece = chunk.subarray(at, at + state.left)
        state.parts.push(Buffer.from(piece))
        state.left -= piece.length
        at += piece.length
        if (state.left === 0) this.#applyExtension(state.type, Buffer.concat(state.parts).subarray(0, state.size))
        continue
      }
      const wanted = TAR_BLOCK - this.#partial.length
      const piece = chunk.subarray(at, at + wanted)
      at += piece.length
      if (piece.length < wanted) this.#partial = Buffer.concat([this.#partial, piece])
      else {
        const block = this.#partial.length === 0 ? piece : Buffer.concat([this.#partial, piece])
        this.#partial = Buffer.alloc(0)
        this.#block(state, block)
      }
    }
    return chunk
  }

  /** Must be called once, after the last byte. */
  finish(): void {
    // Less than one block has no checksum.
    if (this.bytes < TAR_BLOCK) throw notAnArchive()
    if (this.#state.at !== 'end')
      throw new BadInput(
        'archive-corrupt',
        `The archive is truncated after ${this.tree.entries} entries: a complete archive ends with two zero blocks.`,
      )
    if (this.tree.entries === 0)
      throw new BadInput('archive-empty', 'The archive must not be empty: pack at least one entry.')
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

  #block(state: Extract<State, { at: 'header' | 'sparse-map' | 'first-zero' }>, block: Buffer): void {
    const { at } = state
    if (at === 'sparse-map') {
      this.#sparseMap(state, block)
      return
    }
    if (isZeros(block)) {
      if (this.#extended || this.#longName !== undefined || this.#longLink !== undefined)
        throw new BadInput('archive-corrupt', 'The archive ends with an extended header without an entry.')
      this.#state = at === 'first-zero' ? { at: 'end' } : { at: 'first-zero' }
      return
    }
    if (at === 'first-zero')
      throw new BadInput(
        'archive-corrupt',
        'The archive has a single zero block before its end: an archive ends with two.',
      )
    const header = parseHeader(block)
    if (!header) {
      if (this.bytes <= TAR_BLOCK || this.tree.entries === 0) throw notAnArchive()
      throw new BadInput(
        'archive-corrupt',
        `The archive is damaged after ${this.tree.entries} entries: the checksum of a header is wrong.`,
      )
    }
    this.#header(header)
  }

  #sparseMap(state: Extract<State, { at: 'sparse-map' }>, block: Buffer): void {
    const { map, as } = state
    const isText = as === 'text'
    if (isText) state.left -= TAR_BLOCK
    const another = isText ? map.addText(block) : map.addBlock(block)
    if (another && (!isText || state.left > 0)) return
    map.finish(state.left)
    this.#state = this.#dataOrHeader(state.left)
  }

  #header(header: TarHeader): void {
    switch (header.type) {
      case 'x':
      case 'g':
      case 'L':
      case 'K':
        this.#beginExtension(header)
        return
      default:
        this.#member(header)
    }
  }

  #beginExtension({ type, size }: TarHeader): void {
    if (size < 0 || size > MAX_EXTENSION_BYTES)
      throw new BadInput(
        'archive-refused',
        `The archive is refused: an extended header has ${size} bytes, more than ${MAX_EXTENSION_BYTES}.`,
      )
    const twice =
      (type === 'x' && this.#extended) ||
      (type === 'L' && this.#longName !== undefined) ||
      (type === 'K' && this.#longLink !== undefined)
    if (twice)
      throw new BadInput(
        'archive-refused',
        'The archive is refused: an entry has two extended headers of the same kind.',
      )
    this.#state = { at: 'extension', type, left: padded(size), size, parts: [] }
    if (size === 0) this.#applyExtension(type, Buffer.alloc(0))
  }

  #applyExtension(type: string, body: Buffer): void {
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
    if (this.#longName !== undefined && extended.path !== undefined) refuse('its headers have two names')
    if (this.#longLink !== undefined && extended.linkPath !== undefined) refuse('its headers have two link targets')
    this.#extended = this.#longName = this.#longLink = undefined

    const size = extended.size ?? header.size
    if (size < 0 || size > Number.MAX_SAFE_INTEGER - TAR_BLOCK) refuse('its size is not valid')
    if (extended.size !== undefined && extended.size < OCTAL_LIMIT && extended.size !== header.size)
      refuse(`its headers have different sizes, ${header.size} and ${extended.size}`)
    const [uid, gid] = [extended.uid ?? header.uid, extended.gid ?? header.gid]
    for (const id of [uid, gid])
      if (id < 0 || id > LARGEST_ID)
        refuse(`its owner ${id} is out of range: an id must not be greater than ${LARGEST_ID}`)
    if (this.owners) {
      assertMapped(name, 'owner', uid, this.owners.uids)
      assertMapped(name, 'group', gid, this.owners.gids)
    }

    const kind = kindOf(header, name, size, refuse)
    const sparse = extended.sparse ?? header.sparse
    if (sparse && kind !== 'file') refuse(`it is a ${kind} and must not have holes`)
    const apparentSize = kind === 'file' ? (sparse?.size ?? size) : 0
    if (apparentSize < 0) refuse('its size is not valid')
    const member = { kind, name, target, apparentSize }
    if (this.take) this.take(member)
    else this.tree.add(member)
    if (this.observer) {
      const path = normalisePath(name, 'Entry')
      const { mode } = header
      const { mtime = String(header.mtime), attributes = '' } = extended
      const common = { mode: mode & 0o7777, uid, gid, mtime, attributes, content: '' }
      if (kind === 'hardlink') this.observer.hardLink(path, normalisePath(target, 'The target'))
      else this.observer.member(path, { ...common, kind, size: apparentSize, target: kind === 'symlink' ? target : '' })
    }
    this.#state = sparse ? this.#sparse(sparse, size, refuse) : this.#dataOrHeader(size)
  }

  #sparse(header: SparseHeader, size: number, refuse: (why: string) => never): State {
    const map = new SparseMap(header, refuse, ([offset, length]) =>
      this.observer?.data(Buffer.from(`${offset} ${length}\n`)),
    )
    const { rest } = header
    if (rest === 'blocks' || (rest === 'text' && size > 0)) return { at: 'sparse-map', map, as: rest, left: size }
    map.finish(size)
    return this.#dataOrHeader(size)
  }

  #dataOrHeader(size: number): State {
    return size === 0 ? { at: 'header' } : { at: 'data', left: padded(size), padding: padded(size) - size }
  }
}

function notAnArchive(): BadInput {
  return new BadInput(
    'not-an-archive',
    'The data is not an archive: send a tar file, plain or compressed with gzip, bzip2, xz or zstd.',
  )
}
