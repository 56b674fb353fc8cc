import type { FileHandle } from 'node:fs/promises'
import { CHUNK } from './tarball.js'

/**
 * Reads a file from its start with positional reads. Not a Node.js stream: with `autoClose: false` it keeps a reference
 * to the handle, so `close` never resolves; with `autoClose: true` it closes a handle that it does not own.
 */
export async function* readHandle(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
