import { realpath } from 'node:fs/promises'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Io } from '../terminal/io.js'
import { compressToFile } from './compressed-file.js'
import { LeftOut } from './left-out.js'
import { locateSource } from './locate-source.js'
import { sourceTar } from './source-tar.js'
import type { Tarball } from './tarball.js'

export interface PackDirectory {
  /** Absolute. */
  readonly directory: string
  /** The directory as the user wrote it, for messages. */
  readonly given?: string
  /** Directory inside the archive for all entries, without leading and trailing slashes; empty for none. */
  readonly prefix: string
  /** Absolute paths of files that the archive does not contain, under any name. */
  readonly leaveOut?: readonly string[]
  readonly env: Io['env']
  readonly signal: AbortSignal
  /** Called for each chunk, with its size before compression in bytes. */
  readonly onBytes?: (count: number) => void
}

/**
 * Packs a directory into a gzipped tarball in a temporary file and computes its digest. The same tree gives the same
 * bytes. Sockets, named pipes and devices are left out, as in a snapshot; `Tarball.notes` says so.
 *
 * Throws `NotFound` (`no-such-source`), `BadInput` (`not-a-directory`, `unpackable`, `nothing-to-pack`,
 * `bad-ignore-file`, `no-temporary-directory`), `Unavailable` (`disk-full`, `source-unreadable`).
 */
export async function packDirectory({
  directory,
  given = directory,
  prefix,
  leaveOut,
  env,
  signal,
  onBytes,
}: PackDirectory): Promise<Tarball> {
  if ((await locateSource(directory, given)) !== 'directory')
    throw new BadInput('not-a-directory', `${quote(given)} is a file: give the directory that contains it.`)
  const leftOut = new LeftOut()
  const tar = sourceTar({ root: await realpath(directory), prefix, leftOut, leaveOut, onBytes })
  const tarball = await compressToFile(tar, env, signal)
  return { ...tarball, notes: leftOut.sentences() }
}
