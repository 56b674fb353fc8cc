import type { Readable } from 'node:stream'
import type { Compressor } from './compressor.js'
import type { Compression } from '../compression.js'
import { decompress } from './decompress.js'

/**
 * Returns a stored resource as gzip, because clients run `tar -zxf` on what they download. Data that is already gzip is
 * passed on unchanged.
 *
 * An error of `stored` becomes an error of the result. Destroying the result destroys `stored`, and so does a rejection.
 */
export async function gzipStream(
  stored: Readable,
  compression: Compression,
  compressor: Compressor,
  signal?: AbortSignal,
): Promise<Readable> {
  if (compression === 'gzip') return stored
  const plain = await decompress(stored, compression, { strict: false, signal })
  return compressor.compress(plain, signal)
}
