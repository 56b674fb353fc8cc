import type { BadInput } from '../../base/errors.js'
import type { SparseHeader, SparseSegment } from './sparse-map.js'

type Version = '0' | '1'

/**
 * The records by which an extended header describes a sparse file. GNU tar has three formats of them:
 * - 0.0: `size`, `numblocks`, and a pair of `offset` and `numbytes` for each segment;
 * - 0.1: the same, with all pairs in one record `map`;
 * - 1.0: `major`, `minor` and `realsize`; the segments are text before the data.
 *
 * A file that is sparse by one reader must be so by the other: what belongs to no format, or to two, is refused.
 */
export class PaxSparse {
  #major: Version | undefined
  #size: number | undefined
  #realSize: number | undefined
  #blocks: number | undefined
  #numbers: number[] = []
  #offset: number | undefined
  #hasMap = false

  constructor(
    private readonly decimal: (key: string, value: string) => number,
    private readonly refused: (why: string) => BadInput,
  ) {}

  /** Returns whether the record is one of these. */
  take(key: string, value: string): boolean {
    switch (key) {
      case 'GNU.sparse.major':
        if (value !== '0' && value !== '1') throw this.refused(`its sparse files have the unknown format ${value}`)
        this.#major = value
        return true
      case 'GNU.sparse.minor':
        if (value !== '0' && value !== '1') throw this.refused(`its sparse files have the unknown format ${value}`)
        return true
      case 'GNU.sparse.realsize':
        this.#realSize = this.decimal(key, value)
        return true
      case 'GNU.sparse.size':
        this.#size = this.decimal(key, value)
        return true
      case 'GNU.sparse.numblocks':
        this.#blocks = this.decimal(key, value)
        return true
      case 'GNU.sparse.offset':
        if (this.#offset !== undefined || this.#hasMap) throw this.#invalid()
        this.#offset = this.decimal(key, value)
        return true
      case 'GNU.sparse.numbytes':
        if (this.#offset === undefined) throw this.#invalid()
        this.#numbers.push(this.#offset, this.decimal(key, value))
        this.#offset = undefined
        return true
      case 'GNU.sparse.map':
        if (this.#numbers.length > 0 || this.#offset !== undefined) throw this.#invalid()
        this.#hasMap = true
        this.#numbers = value.split(',').map((number) => this.decimal(key, number))
        return true
      default:
        return false
    }
  }

  /** After the last record; undefined if the file is not sparse. */
  header(): SparseHeader | undefined {
    const numbers = this.#numbers
    const isOlder = this.#size !== undefined || this.#blocks !== undefined || numbers.length > 0 || this.#hasMap
    if (this.#offset !== undefined || numbers.length % 2 !== 0) throw this.#invalid()
    if (this.#major === '1') {
      if (isOlder || this.#realSize === undefined) throw this.#invalid()
      return { size: this.#realSize, segments: [], rest: 'text' }
    }
    if (this.#realSize !== undefined) throw this.#invalid()
    if (!isOlder) return undefined
    // GNU tar takes memory for as many segments as `numblocks` says, and takes a file without any for one without holes.
    if (this.#size === undefined || numbers.length === 0 || this.#blocks !== numbers.length / 2) throw this.#invalid()
    const segments: SparseSegment[] = []
    for (let at = 0; at < numbers.length; at += 2) segments.push([numbers[at] ?? 0, numbers[at + 1] ?? 0])
    return { size: this.#size, segments, rest: 'none' }
  }

  #invalid(): BadInput {
    return this.refused('the extended header of a sparse file does not match any format of GNU tar')
  }
}
