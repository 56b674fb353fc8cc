import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import tar, { type Headers, type PackOptions } from 'tar-fs'
import { BadInput, errnoOf, messageOf, NotFound, Unavailable } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Io } from '../terminal/io.js'
import { listSource } from './list-source.js'
import { meter } from './meter.js'
import { readHandle } from './read-handle.js'
import { CHUNK, type Tarball } from './tarball.js'
import { openTemporaryFile } from './temporary-file.js'

/** UID and GID of `runner`, the user that stagers run as. */
const OWNER = 99

export interface PackDirectory {
  readonly directory: string
  /** Directory inside the archive for all entries, without leading and trailing slashes; empty for none. */
  readonly prefix: string
  readonly env: Io['env']
  readonly signal: AbortSignal
  /** Called once, with the total size of the files in bytes. */
  readonly onStart?: (total: number) => void
  /** Called for each chunk, with its size before compression in bytes. */
  readonly onBytes?: (count: number) => void
}

/**
 * Packs a directory into a gzipped tarball in a temporary file and computes its digest. The same tree gives the same
 * bytes: entries are sorted and owned by `runner`, keep their times and permissions, and lose set-id bits.
 *
 * Throws `NotFound` (`no-such-directory`), `BadInput` (`unpackable`, `nothing-to-pack`), `Unavailable` (`disk-full`).
 */
export async function packDirectory(request: PackDirectory): Promise<Tarball> {
  const root = await directoryOf(request.directory)
  const { entries, length } = await listSource(root, request.signal)
  request.onStart?.(length)
  const file = await openTemporaryFile(request.env)
  try {
    const hash = createHash('sha256')
    let packed = 0
    await pipeline(
      tar.pack(root, packOptions(entries, request.prefix)),
      meter((chunk) => request.onBytes?.(chunk.length)),
      // The socket is local, so speed matters more than size.
      createGzip({ level: 1, chunkSize: CHUNK }),
      meter((chunk) => {
        hash.update(chunk)
        packed += chunk.length
      }),
      async (chunks: AsyncIterable<Uint8Array>) => {
        for await (const chunk of chunks) await file.appendFile(chunk)
      },
      { signal: request.signal },
    )
    return {
      sha256: hash.digest('hex'),
      length: packed,
      read: () => readHandle(file),
      dispose: () => file.close(),
    }
  } catch (error) {
    await file.close()
    request.signal.throwIfAborted()
    throw packingError(error, root)
  }
}

/** The type declarations of tar-fs lack `umask`. */
function packOptions(entries: readonly string[], prefix: string): PackOptions {
  const options: PackOptions & { umask: number } = {
    // '.' becomes the prefix directory. `runner` owns it, because a stager unpacks its package there.
    entries: prefix === '' ? [...entries] : ['.', ...entries],
    // Stops tar-fs from walking into directories: `entries` is complete.
    ignore: () => true,
    umask: 0,
    map: (header: Headers) => ({
      ...header,
      name: path.posix.join(prefix, header.name),
      mode: header.name === '.' ? 0o755 : header.mode & 0o777,
      uid: OWNER,
      gid: OWNER,
    }),
  }
  return options
}

async function directoryOf(directory: string): Promise<string> {
  try {
    if ((await stat(directory)).isDirectory()) return await realpath(directory)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  throw new NotFound('no-such-directory', `There is no directory ${quote(directory)}: give the source directory.`)
}

function packingError(error: unknown, root: string): unknown {
  const errno = errnoOf(error)
  if (errno === 'ENOSPC')
    return new Unavailable(
      'disk-full',
      'There is not enough disk space to pack the source: set TMPDIR to a directory with more space.',
      { cause: error },
    )
  if (errno === 'EACCES' || errno === 'ENOENT' || messageOf(error) === 'Size mismatch')
    return new BadInput(
      'unpackable',
      `${quote(root)} cannot be packed (${messageOf(error)}): make every file readable, and do not change the directory meanwhile.`,
      { cause: error },
    )
  return error
}
