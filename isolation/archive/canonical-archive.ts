import { pipeline, type Readable } from 'node:stream'
import type { Compression } from '../compression.js'
import type { Compressor } from './compressor.js'
import { decompress } from './decompress.js'
import type { ArchiveLimits } from './limits.js'
import { NameRewriter } from './name-rewriter.js'
import { TarScanner } from './tar-scanner.js'

export interface CanonicalOptions {
  readonly limits: ArchiveLimits
  readonly compressor: Compressor
  readonly signal: AbortSignal
}

/**
 * The same archive with canonical names (names.ts), as gzip. The scanner has accepted `stored`, and checks the result
 * too.
 *
 * An error of `stored` becomes an error of the result. Destroying the result destroys `stored`, and so does
 * a rejection.
 */
export async function canonicalArchive(
  stored: Readable,
  compression: Compression,
  { limits, compressor, signal }: CanonicalOptions,
): Promise<Readable> {
  const plain = await decompress(stored, compression, { strict: false, signal })
  const scanner = new TarScanner(limits)
  // The compressor gets every error, because the last stream fails with it.
  pipeline(plain, new NameRewriter(), scanner, () => undefined)
  return compressor.compress(scanner, signal)
}
