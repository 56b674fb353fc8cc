import type { BigIntStats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { RUNNER } from '../../base/runner.js'
import { END_OF_ARCHIVE, tarEntry } from '../../base/tar-blocks.js'
import { tarTime } from '../../base/tar-time.js'
import { bytePath } from '../../base/byte-path.js'
import { readHandle } from './read-handle.js'
import { TarChunks } from '../../base/tar-chunks.js'

/** The tar of a directory that holds this one file. Throws `BadInput` (`unpackable`) when its length changes meanwhile. */
export async function* singleFileTar(
  name: string,
  handle: FileHandle,
  { size, mode, mtimeNs }: BigIntStats,
  onBytes?: (count: number) => void,
): AsyncGenerator<Buffer> {
  const chunks = new TarChunks()
  const fields = { path: bytePath(name), mode: Number(mode) & 0o777, owner: RUNNER, time: tarTime(mtimeNs) }
  chunks.add(tarEntry({ ...fields, kind: 'file', size: Number(size) }))
  let length = 0
  for await (const chunk of readHandle(handle)) {
    length += chunk.length
    onBytes?.(chunk.length)
    chunks.add(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length))
    yield* chunks.take()
  }
  if (length !== Number(size))
    throw new BadInput('unpackable', `${quote(name)} changed while it was packed: pack again when nothing changes it.`)
  chunks.pad()
  chunks.add(END_OF_ARCHIVE)
  yield* chunks.takeAll()
}
