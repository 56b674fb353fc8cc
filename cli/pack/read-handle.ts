import type { FileHandle } from 'node:fs/promises'
import { CHUNK } from './tarball.js'

/**
 * A file from its start, without moving its position. Not a stream of Node's: one with `autoClose` off keeps its hold on
 * the handle, whose `close` then waits for ever; one with it on closes what is not its own.
 */
export async function* readHandle(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
