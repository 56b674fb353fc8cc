import { randomUUID } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Io } from '../terminal/io.js'
import { temporaryFileError } from './packing-error.js'

/**
 * Opens an unlinked file in TMPDIR: the kernel frees it with its descriptor, even if the process is killed. The caller
 * closes it.
 *
 * Throws `BadInput` (`no-temporary-directory`), `Unavailable` (`disk-full`, `disk-error`).
 */
export async function openTemporaryFile(env: Io['env']): Promise<FileHandle> {
  const directory = temporaryDirectory(env)
  const file = path.join(directory, `stagectl-${randomUUID()}`)
  try {
    const handle = await open(file, 'wx+', 0o600)
    await rm(file)
    return handle
  } catch (error) {
    throw temporaryFileError(directory, error)
  }
}

export function temporaryDirectory(env: Io['env']): string {
  const named = env['TMPDIR'] ?? ''
  return named === '' ? tmpdir() : named
}
