import type { Readable } from 'node:stream'
import type { Compressor } from './compressor.js'
import type { Compression } from './compression.js'
import { decompress } from './decompress.js'

/**
 * A resource as gzip, whatever it is stored as: clients run `tar -zxf` on what they download. gzip is passed on as it is.
 *
 * An error of `stored` is one of the result; destroying the result destroys `stored`.
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
