import { type Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ByteCounter } from './byte-counter.js'
import type { Compression } from '../compression.js'
import { detectCompression } from './compression.js'
import { decompress } from './decompress.js'
import type { MappedOwners } from './mapped-owners.js'
import type { ArchiveLimits } from './limits.js'
import type { ArchiveObserver } from '../archive-observer.js'
import { TarScanner } from './tar-scanner.js'

export interface ArchiveSummary {
  readonly compression: Compression
  readonly entries: number
  /** Length of the uncompressed tar. */
  readonly bytes: number
  /** Whether all names are in the form that stagers get: see `canonicalArchive`. */
  readonly canonical: boolean
}

/**
 * Checks an archive while it is received. Writes nothing. `observer` gets every entry that was checked.
 *
 * `compressed` is read to its end, or destroyed when this rejects: with `BadInput` (`not-an-archive`,
 * `archive-corrupt`, `archive-empty`, `archive-refused`), `TooLarge` (`archive-too-large`), or the stream's own error.
 */
export async function scanArchive(
  compressed: Readable,
  limits: ArchiveLimits,
  signal: AbortSignal,
  observer?: ArchiveObserver,
): Promise<ArchiveSummary> {
  try {
    const { scanner, plain, compression } = await openScanner(compressed, limits, { strict: true, observer, signal })
    await pipeline(plain, scanner, discard(), { signal })
    const { tree, bytes } = scanner.parser
    return { compression, entries: tree.entries, bytes, canonical: tree.isCanonical }
  } catch (error) {
    compressed.destroy()
    throw error
  }
}

/**
 * The two stages that every archive goes through: decompression, and the scanner into which the caller pipes the
 * result.
 */
export async function openScanner(
  compressed: Readable,
  limits: ArchiveLimits,
  options: {
    readonly strict: boolean
    readonly owners?: MappedOwners | undefined
    readonly observer?: ArchiveObserver | undefined
    readonly signal: AbortSignal
  },
): Promise<{ readonly compression: Compression; readonly plain: Readable; readonly scanner: TarScanner }> {
  const compression = await detectCompression(compressed, options.signal)
  const counter = ByteCounter.of(compressed)
  const plain = await decompress(counter, compression, options)
  return { compression, plain, scanner: new TarScanner(limits, () => counter.bytes, options.owners, options.observer) }
}

function discard(): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => {
      done()
    },
  })
}
