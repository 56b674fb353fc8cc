import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { crc32 } from '../../base/crc32.js'
import type { Member } from './expected-tree.js'
import type { ArchiveLimits } from './limits.js'
import { TarParser } from './tar-parser.js'

/** What a segment of an archive holds, which its bytes and `from` determine. */
export interface SegmentScan {
  /** Uncompressed. */
  readonly length: number
  readonly crc: number
  readonly members: readonly Member[]
  /** Where the archive is at its end, as `TarParser.position` says it. */
  readonly to: number | 'end'
}

/** Of all segments that are remembered: some hundred bytes of memory each. */
const MOST_MEMBERS = 250_000

/** Uncompressed, in bytes. A client compresses 256 KiB at a time. */
const LONGEST_PLAIN = 2 * 1024 * 1024

const inflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflateRaw)

/**
 * Scans parts of gzipped archives, and remembers what they hold by digest. The same bytes at the same position hold the
 * same, whoever has sent them.
 */
export class SegmentScans {
  /** The one that was used last is the last. */
  readonly #kept = new Map<string, SegmentScan | 'dependent'>()
  #members = 0

  constructor(private readonly limits: ArchiveLimits) {}

  /**
   * Rejects or throws where the part is none that can be scanned alone.
   *
   * @param digests of the segments that `bytes` are
   * @param from where the archive is at the beginning
   * @returns `dependent` for what ends within a block of the compression, or within a header: it has to be joined with what
   * follows
   */
  async scan(digests: string, from: number, bytes: () => Promise<Buffer>): Promise<SegmentScan | 'dependent'> {
    const key = `${digests} ${from}`
    const found = this.#kept.get(key) ?? (await this.#scan(from, await bytes()))
    this.#forget(key)
    this.#kept.set(key, found)
    this.#members += costOf(found)
    for (const oldest of this.#kept.keys()) {
      if (this.#members <= MOST_MEMBERS) break
      this.#forget(oldest)
    }
    return found
  }

  #forget(key: string): void {
    const found = this.#kept.get(key)
    if (found === undefined) return
    this.#kept.delete(key)
    this.#members -= costOf(found)
  }

  async #scan(from: number, bytes: Buffer): Promise<SegmentScan | 'dependent'> {
    const plain = await inflated(bytes)
    if (!plain) return 'dependent'
    const members: Member[] = []
    const parser = new TarParser(this.limits, undefined, undefined, undefined, (member) => members.push(member))
    parser.beginWithin(from)
    parser.push(plain)
    const to = parser.position
    // Of many small entries, the estimate of the client may be short, so that an entry goes on in the next segment.
    if (to === undefined) return 'dependent'
    return { length: plain.length, crc: crc32(plain), members, to }
  }
}

/**
 * Undefined for what does not end where a block ends. Rejects for what refers to bytes before it, because it has none.
 *
 * Nobody who makes the segment can know what is put behind it: if that comes out as it was put in, and nothing else does,
 * the segment is complete.
 */
async function inflated(bytes: Buffer): Promise<Buffer | undefined> {
  const mark = randomBytes(16)
  const stored = Buffer.from([0, mark.length, 0, 0xff - mark.length, 0xff])
  const last = Buffer.from([3, 0])
  const options = { maxOutputLength: LONGEST_PLAIN, finishFlush: zlib.constants.Z_SYNC_FLUSH }
  const [plain, marked] = await Promise.all([
    inflate(bytes, options),
    inflate(Buffer.concat([bytes, stored, mark, last]), options),
  ])
  return marked.equals(Buffer.concat([plain, mark])) ? plain : undefined
}

function costOf(found: SegmentScan | 'dependent'): number {
  return 1 + (found === 'dependent' ? 0 : found.members.length)
}
