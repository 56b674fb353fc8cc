import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { meter } from './meter.js'
import { readHandle } from './read-handle.js'
import type { Tarball } from './tarball.js'

/**
 * Reads a tarball of the user once, for its digest. If it changes before the upload, the daemon detects the wrong
 * digest. The result owns `handle`.
 */
export async function digestTarball(
  handle: FileHandle,
  { signal, onBytes }: { readonly signal: AbortSignal; readonly onBytes?: ((count: number) => void) | undefined },
): Promise<Tarball> {
  const hash = createHash('sha256')
  let length = 0
  await pipeline(
    readHandle(handle),
    meter((chunk) => {
      hash.update(chunk)
      length += chunk.length
      onBytes?.(chunk.length)
    }),
    new Writable({ write: (_chunk, _encoding, done) => done() }),
    { signal },
  )
  return { sha256: hash.digest('hex'), length, read: () => readHandle(handle), dispose: () => handle.close() }
}
