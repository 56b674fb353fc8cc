import { randomUUID } from 'node:crypto'
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { TooLarge } from '../../base/errors.js'
import { withDiskFull } from '../store/storage-errors.js'

/**
 * Writes a body to an unlinked file, which disappears when its descriptor is closed, at the latest with the process. The
 * caller closes it.
 *
 * Throws `TooLarge` (`exchange-too-large`), `Unavailable` (`disk-full`).
 */
export async function spool(
  body: Readable,
  {
    directory,
    maxBytes,
    signal,
  }: { readonly directory: string; readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<{ readonly file: FileHandle; readonly length: number }> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const name = path.join(directory, randomUUID())
  const file = await open(name, 'wx+', 0o600)
  try {
    await rm(name)
    let length = 0
    for await (const chunk of body as AsyncIterable<Buffer>) {
      signal.throwIfAborted()
      if (length + chunk.length > maxBytes)
        throw new TooLarge('exchange-too-large', `The file has more than the ${maxBytes} bytes that are allowed.`)
      await file.writev([chunk], length)
      length += chunk.length
    }
    return { file, length }
  } catch (error) {
    await file.close()
    throw withDiskFull(error, 'keep the file while it is imported')
  }
}
