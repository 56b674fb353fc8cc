import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Io } from '../terminal/io.js'
import { readHandle } from './read-handle.js'
import { temporaryFileError } from './packing-error.js'
import type { Tarball } from './tarball.js'
import { openTemporaryFile, temporaryDirectory } from './temporary-file.js'

const CHUNK = 256 * 1024

/**
 * Compresses a tar into a temporary file and computes its digest. zlib compresses in a thread of its own, while this one
 * reads the source.
 *
 * Always zlib, even where the host has a faster program: each compressor gives other bytes, and the digest of a source
 * must not depend on the host. The socket is local, so speed matters more than size.
 */
export async function compressToFile(
  chunks: AsyncIterable<Uint8Array>,
  env: Io['env'],
  signal: AbortSignal,
): Promise<Tarball> {
  const file = await openTemporaryFile(env)
  try {
    const hash = createHash('sha256')
    let length = 0
    await pipeline(
      Readable.from(chunks, { objectMode: false, highWaterMark: 4 * CHUNK }),
      createGzip({ level: 1, chunkSize: CHUNK }),
      async (compressed: AsyncIterable<Uint8Array>) => {
        for await (const chunk of compressed) {
          hash.update(chunk)
          length += chunk.length
          await file.appendFile(chunk).catch((error: unknown) => {
            throw temporaryFileError(temporaryDirectory(env), error)
          })
        }
      },
      { signal },
    )
    return { sha256: hash.digest('hex'), length, read: () => readHandle(file), dispose: () => file.close() }
  } catch (error) {
    await file.close()
    signal.throwIfAborted()
    throw error
  }
}
