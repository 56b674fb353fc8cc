import { randomUUID } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { makeDirectory } from '../../base/durable-directory.js'
import { TooLarge } from '../../base/errors.js'
import { removeScrap } from '../../base/remove-scrap.js'
import { storageError } from '../store/storage-errors.js'

/**
 * Writes a body to an unlinked file, which disappears when its descriptor is closed, at the latest with the process. The
 * caller closes it.
 *
 * Throws `TooLarge` (`exchange-too-large`), `Unavailable` (`disk-full`, `disk-error`).
 */
export async function spool(
  body: Readable,
  {
    directory,
    maxBytes,
    signal,
  }: { readonly directory: string; readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<{ readonly file: FileHandle; readonly length: number }> {
  const file = await openUnlinked(directory)
  try {
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
    throw storageError(error, 'keep the file while it is imported')
  }
}

async function openUnlinked(directory: string): Promise<FileHandle> {
  const name = path.join(directory, randomUUID())
  let file: FileHandle | undefined
  try {
    await makeDirectory(directory)
    file = await open(name, 'wx+', 0o600)
    await rm(name)
    return file
  } catch (error) {
    await file?.close()
    await removeScrap(name)
    throw storageError(error, 'keep the file while it is imported')
  }
}
