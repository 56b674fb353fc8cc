import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BadInput, errnoOf, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { meter } from './meter.js'
import { readHandle } from './read-handle.js'
import type { Tarball } from './tarball.js'

/**
 * Opens a tarball of the user and reads it once for its digest. If it changes before the upload, the daemon detects the
 * wrong digest.
 *
 * Throws `NotFound` (`no-such-file`), `BadInput` (`not-a-file`).
 */
export async function openTarball(
  file: string,
  {
    signal,
    onStart,
    onBytes,
  }: { signal: AbortSignal; onStart?: (total: number) => void; onBytes?: (count: number) => void },
): Promise<Tarball> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
    throw new NotFound('no-such-file', `There is no file ${quote(file)}: give the path of a tarball.`)
  })
  try {
    const stats = await handle.stat()
    if (!stats.isFile()) throw new BadInput('not-a-file', `${quote(file)} is not a file: give the path of a tarball.`)
    onStart?.(stats.size)
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
    return {
      sha256: hash.digest('hex'),
      length,
      read: () => readHandle(handle),
      dispose: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    signal.throwIfAborted()
    throw error
  }
}
