import { type Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ByteCounter } from './byte-counter.js'
import { type Compression, detectCompression } from './compression.js'
import { decompress } from './decompress.js'
import type { ArchiveLimits } from './limits.js'
import { TarScanner } from './tar-scanner.js'

export interface ArchiveSummary {
  readonly compression: Compression
  readonly entries: number
  /** Of the uncompressed tar. */
  readonly bytes: number
}

/**
 * Look at an archive while it comes in, beside whatever else is done with its bytes. Nothing is written anywhere.
 *
 * `compressed` is read to its end, or destroyed when this rejects: with `BadInput` (`not-an-archive`, `archive-corrupt`,
 * `archive-empty`, `archive-refused`), `TooLarge` (`archive-too-large`), or the stream's own error.
 */
export async function scanArchive(
  compressed: Readable,
  limits: ArchiveLimits,
  signal: AbortSignal,
): Promise<ArchiveSummary> {
  try {
    const { scanner, plain, compression } = await scanned(compressed, limits, { strict: true, signal })
    await pipeline(plain, scanner, nowhere(), { signal })
    return { compression, entries: scanner.follower.ledger.entries, bytes: scanner.follower.bytes }
  } catch (error) {
    compressed.destroy()
    throw error
  }
}

/** The two stages that every archive passes on its way to anywhere: its plain bytes, and the scanner to pipe them into. */
export async function scanned(
  compressed: Readable,
  limits: ArchiveLimits,
  options: { readonly strict: boolean; readonly signal: AbortSignal },
): Promise<{ readonly compression: Compression; readonly plain: Readable; readonly scanner: TarScanner }> {
  const compression = await detectCompression(compressed, options.signal)
  const counter = ByteCounter.of(compressed)
  const plain = await decompress(counter, compression, options)
  return { compression, plain, scanner: new TarScanner(limits, () => counter.bytes) }
}

function nowhere(): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => {
      done()
    },
  })
}
