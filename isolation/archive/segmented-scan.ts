import { createHash } from 'node:crypto'
import { joinCrc32 } from '../../base/crc32.js'
import { GZIP_BEGINNING, gzipEnd } from '../../base/segmented-gzip.js'
import { ExpectedTree } from './expected-tree.js'
import { type ArchiveLimits, RATIO_FLOOR_BYTES } from './limits.js'
import type { ArchiveSummary } from './scan.js'
import { type SegmentScan, SegmentScans } from './segment-scans.js'

const BEGINNING = digestOf(GZIP_BEGINNING)

/** A segment that ends within a block or a header is joined with those that follow, up to so many. */
const MOST_JOINED = 8

type Bytes = () => Promise<Buffer>

/**
 * The scan of an archive that is put together from segments: what was scanned before is not decompressed again. It accepts
 * what `scanArchive` accepts, if the archive has the form in which sources are packed, and refuses nothing: for anything
 * else, `summary` is undefined.
 */
export class SegmentedScan {
  readonly #scans: SegmentScans
  readonly #limits: ArchiveLimits
  readonly #tree: ExpectedTree
  #isKnown = true
  #position: number | 'end' | 'beginning' | 'over' = 'beginning'
  #crc = 0
  #length = 0
  #compressed = 0
  #joined: { readonly digests: readonly string[]; readonly bytes: Bytes } | undefined

  constructor(scans: SegmentScans, limits: ArchiveLimits) {
    this.#scans = scans
    this.#limits = limits
    this.#tree = new ExpectedTree(limits)
  }

  /** To be called for each segment, in order. `bytes` have this digest. */
  async add(digest: string, length: number, bytes: Bytes): Promise<void> {
    if (!this.#isKnown) return
    this.#compressed += length
    try {
      this.#isKnown = await this.#add(digest, bytes)
    } catch {
      // What is wrong with it is for the scan of the whole to say.
      this.#isKnown = false
    }
  }

  /** To be called at the end. */
  get summary(): ArchiveSummary | undefined {
    if (!this.#isKnown || this.#position !== 'over' || this.#tree.entries === 0) return undefined
    const { bytes, ratio } = this.#limits
    const isTooLarge =
      this.#length > bytes || (this.#length > RATIO_FLOOR_BYTES && this.#length > ratio * this.#compressed)
    if (isTooLarge) return undefined
    const { entries, isCanonical: canonical } = this.#tree
    return { compression: 'gzip', entries, bytes: this.#length, canonical }
  }

  async #add(digest: string, bytes: Bytes): Promise<boolean> {
    switch (this.#position) {
      case 'beginning':
        this.#position = 0
        return digest === BEGINNING
      case 'end':
        this.#position = 'over'
        return digest === digestOf(gzipEnd(this.#crc, this.#length))
      case 'over':
        return false
      default:
        return await this.#scan(this.#position, digest, bytes)
    }
  }

  async #scan(from: number, digest: string, bytes: Bytes): Promise<boolean> {
    const before = this.#joined
    const digests = [...(before?.digests ?? []), digest]
    const all = before ? async () => Buffer.concat([await before.bytes(), await bytes()]) : bytes
    const found = await this.#scans.scan(digests.join(' '), from, all)
    if (found === 'dependent') {
      this.#joined = { digests, bytes: all }
      return digests.length < MOST_JOINED
    }
    this.#joined = undefined
    this.#take(found)
    return true
  }

  #take({ members, crc, length, to }: SegmentScan): void {
    for (const member of members) this.#tree.add(member)
    this.#crc = joinCrc32(this.#crc, crc, length)
    this.#length += length
    this.#position = to
  }
}

/** Begins the scan of one archive. All of them have the same memory. */
export function segmentedScans(limits: ArchiveLimits) {
  const scans = new SegmentScans(limits)
  return () => {
    const scan = new SegmentedScan(scans, limits)
    return { add: scan.add.bind(scan), facts: () => scan.summary }
  }
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
