import { pipeline, type Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { Compression } from '../compression.js'
import { decompress } from './decompress.js'
import { type Move, PathMover } from './path-mover.js'

export interface MovedOptions {
  readonly move: Move
  /** Members of a tar that come before all others. Where they are still made, the archive is opened meanwhile. */
  readonly first: Uint8Array | Promise<Uint8Array>
  /** Of the compression; by default that of zlib. */
  readonly level?: number
  readonly signal: AbortSignal
}

/**
 * What a package has below one directory, at another place, as gzip; see `PathMover`. The scanner has accepted `stored`.
 * The same input gives the same bytes whatever compressor the host has, because zlib of Node.js is always there.
 *
 * An error of `stored` becomes an error of the result. Destroying the result destroys `stored`, and so does a rejection,
 * also that of `first`.
 */
export async function movedArchive(
  stored: Readable,
  compression: Compression,
  { move, first, level, signal }: MovedOptions,
): Promise<Readable> {
  const begin = Promise.resolve(first)
  // It may reject before it is waited for.
  begin.catch(() => undefined)
  const plain = await decompress(stored, compression, { strict: false, signal })
  // Until it is read, nobody else would hear of an error, which ends the pipeline then.
  plain.on('error', () => undefined)
  const mover = new PathMover(move)
  try {
    // Before the first byte of the archive, so it is the first of the output.
    mover.push(await begin)
  } catch (error) {
    plain.destroy()
    throw error
  }
  const gzip = createGzip({ level })
  // The compressor gets every error, because the last stream fails with it.
  pipeline(plain, mover, gzip, () => undefined)
  return gzip
}
