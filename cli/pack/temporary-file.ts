import { randomUUID } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Io } from '../terminal/io.js'

/**
 * Opens an unlinked file in TMPDIR: the kernel frees it with its descriptor, even if the process is killed. The caller
 * closes it.
 */
export async function openTemporaryFile(env: Io['env']): Promise<FileHandle> {
  const file = path.join(env['TMPDIR'] ?? tmpdir(), `stagectl-${randomUUID()}`)
  const handle = await open(file, 'wx+', 0o600)
  await rm(file)
  return handle
}
