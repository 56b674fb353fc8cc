import type { BigIntStats } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { BadInput, errnoOf, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Io } from '../terminal/io.js'
import { archiveKindOf, type ArchiveKind } from './archive-kind.js'
import { bytePath } from '../../base/byte-path.js'
import { compressToFile } from './compressed-file.js'
import { LeftOut } from './left-out.js'
import { entryError } from './packing-error.js'
import { singleFileTar } from './single-file-tar.js'
import { digestTarball } from './tarball-file.js'
import type { Tarball } from './tarball.js'
import { zipTar } from '../../base/zip/zip-tar.js'

export interface OpenFile {
  /** Absolute. */
  readonly file: string
  readonly env: Io['env']
  readonly signal: AbortSignal
  /** Called once, with the size of the file in bytes, where the calls of `onBytes` add up to it. */
  readonly onStart?: (total: number) => void
  readonly onBytes?: (count: number) => void
}

/**
 * Takes a file of the user as a package: a tarball as it is, a zip converted to one, and a Java archive as a directory
 * that holds this one file.
 *
 * Throws `NotFound` (`no-such-file`), `BadInput` (`not-a-file`, `not-an-archive`, `bad-zip`, `unpackable`), `TooLarge`
 * (`archive-too-large`), and as `compressToFile`.
 */
export async function openFile(request: OpenFile): Promise<Tarball> {
  const { file, signal } = request
  const handle = await openFileOf(file)
  let keepsHandle = false
  try {
    const stats = await handle.stat({ bigint: true })
    if (!stats.isFile()) throw new BadInput('not-a-file', `${quote(file)} is not a file: give a tarball or a zip.`)
    const kind = await archiveKindOf(handle, path.basename(file))
    const tarball = await take(kind, handle, stats, request)
    keepsHandle = kind === 'tarball'
    return tarball
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    if (!keepsHandle) await handle.close()
  }
}

async function take(
  kind: ArchiveKind,
  handle: FileHandle,
  stats: BigIntStats,
  { file, env, signal, onStart, onBytes }: OpenFile,
): Promise<Tarball> {
  switch (kind) {
    case 'tarball':
      onStart?.(Number(stats.size))
      return await digestTarball(handle, { signal, onBytes })
    case 'java':
      onStart?.(Number(stats.size))
      return await compressToFile(singleFileTar(path.basename(file), handle, stats, onBytes), env, signal)
    case 'zip': {
      const leftOut = new LeftOut()
      const notes: string[] = []
      const request = { file, length: Number(stats.size), leftOut, onBytes }
      const tar = zipTar({ ...request, onForeignName: (name) => notes.push(noteOnForeignName(name)) })
      const tarball = await compressToFile(tar, env, signal)
      return { ...tarball, notes: [...notes, ...leftOut.sentences()] }
    }
  }
}

async function openFileOf(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r')
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw entryError(bytePath(file), error)
    throw new NotFound('no-such-file', `There is no file ${quote(file)}: give the path of a tarball or a zip.`)
  }
}

function noteOnForeignName(name: string): string {
  return `The zip does not say in which character set its names are, such as ${quote(name)}: they are read as code page 437.`
}
