import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/** In characters of UTF-16, each of which takes at most so many bytes of UTF-8. */
const BYTES_OF_CHARACTER = 3

export interface ExcerptRequest {
  readonly file: string | Buffer
  /** The entry of the zip to read; undefined for the file itself. */
  readonly member: string | undefined
  /** At most. */
  readonly characters: number
}

/**
 * The beginning of a file, or of an entry of a zip, as text. Empty where there is none, or it cannot be read: the answer
 * then is the same as without the file, and packing it reports why.
 */
export async function readExcerpt({ file, member, characters }: ExcerptRequest): Promise<string> {
  let handle: FileHandle | undefined
  try {
    // A link is uploaded as a link. Without O_NONBLOCK, opening a named pipe waits for a writer.
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    if (!(await handle.stat()).isFile()) return ''
    const length = characters * BYTES_OF_CHARACTER
    const bytes = member === undefined ? await head(handle, length) : await headOfMember(handle, member, length)
    return bytes.toString('utf8').slice(0, characters)
  } catch {
    return ''
  } finally {
    await handle?.close()
  }
}

async function head(handle: FileHandle, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0)
  return buffer.subarray(0, bytesRead)
}

async function headOfMember(handle: FileHandle, member: string, length: number): Promise<Buffer> {
  const { fromFdPromise } = await import('yauzl')
  const zip = await fromFdPromise(handle.fd, { autoClose: false, lazyEntries: true })
  for await (const entry of zip.eachEntry())
    if (entry.fileName === member) return await headOfStream(await zip.openReadStreamPromise(entry), length)
  return Buffer.alloc(0)
}

/** Leaving the loop destroys the stream, so that a bomb does not unfold. */
async function headOfStream(stream: Readable, length: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let read = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    parts.push(chunk)
    if ((read += chunk.length) >= length) break
  }
  return Buffer.concat(parts).subarray(0, length)
}
