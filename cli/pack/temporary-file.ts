import { randomUUID } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Io } from '../terminal/io.js'

/**
 * A file without a name: it is gone with its descriptor, hence with the process, however that ends. Whoever opened it
 * closes it. In TMPDIR, as usual.
 */
export async function openTemporaryFile(env: Io['env']): Promise<FileHandle> {
  const file = path.join(env['TMPDIR'] ?? tmpdir(), `stagectl-${randomUUID()}`)
  const handle = await open(file, 'wx+', 0o600)
  await rm(file)
  return handle
}
