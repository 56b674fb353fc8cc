import { TAR_BLOCK } from '../../base/tar-blocks.js'
import { parseNumber } from './tar-number.js'

/** A piece of a sparse file that is not a hole: where it is in the file, and how long. In bytes. */
export type SparseSegment = readonly [offset: number, length: number]

/** What the headers of a member say about holes. */
export interface SparseHeader {
  /** Length of the file, holes included. */
  readonly size: number
  /** The segments that the headers have. */
  readonly segments: readonly SparseSegment[]
  /** Where the others are: in blocks after the header (old GNU format), or as text before the data (PAX format 1.0). */
  readonly rest: 'none' | 'blocks' | 'text'
}

type Refuse = (why: string) => never

const OLD_HEADER = { segments: 386, count: 4, isExtended: 482, size: 483 } as const
const OLD_EXTENSION = { segments: 0, count: 21, isExtended: 504 } as const
const FIELD = 12

/** The holes of a member of type `S` (old GNU format), by its header block. */
export function oldSparseHeader(block: Buffer): SparseHeader | undefined {
  const size = parseNumber(block, OLD_HEADER.size, OLD_HEADER.size + FIELD)
  const segments = oldSegments(block, OLD_HEADER)
  if (size === undefined || segments === undefined) return undefined
  return { size, segments, rest: block[OLD_HEADER.isExtended] === 1 ? 'blocks' : 'none' }
}

/** Up to the first field without a length; undefined if a number is not valid. */
function oldSegments(
  block: Buffer,
  { segments: start, count }: { readonly segments: number; readonly count: number },
): SparseSegment[] | undefined {
  const segments: SparseSegment[] = []
  for (let at = start; at < start + count * 2 * FIELD && block[at + FIELD] !== 0; at += 2 * FIELD) {
    const offset = parseNumber(block, at, at + FIELD)
    const length = parseNumber(block, at + FIELD, at + 2 * FIELD)
    if (offset === undefined || length === undefined) return undefined
    segments.push([offset, length])
  }
  return segments
}

/**
 * Checks the map of one sparse member while it is read.
 *
 * LAW: GNU tar makes a file of exactly the stated length of it, from exactly the data that the archive has for it. So the
 * segments are in ascending order, the last one ends at the stated length, and together they are as long as the data.
 * All but the last that has data are whole blocks, because GNU tar reads each from the next block, and other readers
 * from the next byte.
 */
export class SparseMap {
  #end = 0
  #dataBytes = 0
  #isWhole = true
  #left: number | undefined
  #digits = ''
  #offset: number | undefined

  /** @param onSegment gets each segment, in order */
  constructor(
    private readonly header: SparseHeader,
    private readonly refuse: Refuse,
    private readonly onSegment: (segment: SparseSegment) => void,
  ) {
    for (const segment of header.segments) this.#add(segment)
    if (header.rest === 'blocks') this.#requireFull(header.segments.length, OLD_HEADER.count)
  }

  /** Reads a block after the header (old GNU format). Returns whether another one follows. */
  addBlock(block: Buffer): boolean {
    const segments = oldSegments(block, OLD_EXTENSION)
    if (!segments) return this.refuse('the map of its holes is not valid')
    for (const segment of segments) this.#add(segment)
    const another = block[OLD_EXTENSION.isExtended] === 1
    if (another) this.#requireFull(segments.length, OLD_EXTENSION.count)
    return another
  }

  /** GNU tar reads no further block when one is not full. */
  #requireFull(found: number, full: number): void {
    if (found !== full) this.refuse('the map of its holes has a gap')
  }

  /**
   * Reads a block of the map as text: the number of segments, then the offset and the length of each, one number a line.
   * Returns whether another block follows; zeros fill up the last one.
   */
  addText(block: Buffer): boolean {
    for (const byte of block) {
      if (this.#left === 0) return false
      if (byte === 0x0a) this.#line()
      else this.#digits += String.fromCharCode(byte)
      if (this.#digits.length > 19) this.refuse('the map of its holes is not valid')
    }
    return this.#left !== 0
  }

  #line(): void {
    const number = /^[0-9]+$/.test(this.#digits) ? Number(this.#digits) : Number.NaN
    if (!Number.isSafeInteger(number)) this.refuse('the map of its holes is not valid')
    this.#digits = ''
    if (this.#left === undefined) this.#left = number
    else if (this.#offset === undefined) this.#offset = number
    else {
      this.#add([this.#offset, number])
      this.#offset = undefined
      this.#left -= 1
    }
  }

  /** @param dataBytes length of the data of the member, without the map */
  finish(dataBytes: number): void {
    if (this.header.rest === 'text' && this.#left !== 0) this.refuse('the map of its holes is not complete')
    if (this.#end !== this.header.size)
      this.refuse(`the map of its holes ends at ${this.#end}, and its size is ${this.header.size}`)
    if (this.#dataBytes !== dataBytes)
      this.refuse(`the map of its holes has ${this.#dataBytes} bytes of data, and the archive ${dataBytes}`)
  }

  #add(segment: SparseSegment): void {
    const [offset, length] = segment
    if (offset < this.#end || length < 0) this.refuse('the map of its holes is not in ascending order')
    if (length > 0) {
      if (!this.#isWhole) this.refuse('the map of its holes has a segment that is not a whole number of blocks')
      this.#isWhole = length % TAR_BLOCK === 0
    }
    this.#end = offset + length
    this.#dataBytes += length
    this.onSegment(segment)
  }
}
