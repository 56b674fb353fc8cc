import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'

/** An open file with this content, as far as parsers read one. */
export function openFile(bytes: Buffer): FileHandle {
  const file = {
    read: (buffer: Buffer, offset: number, length: number, position: number) =>
      Promise.resolve({ bytesRead: bytes.copy(buffer, offset, position, position + length), buffer }),
    stat: () => Promise.resolve({ size: bytes.length }),
  }
  return file as unknown as FileHandle
}

let directory: string | undefined

/** The path of a file with this content, until it is called again for this name. */
export function fileWith(name: string, bytes: Buffer): string {
  if (directory === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'stagerd-fuzz-'))
    directory = made
    process.once('exit', () => rmSync(made, { recursive: true, force: true }))
  }
  const file = join(directory, name)
  writeFileSync(file, bytes)
  return file
}

/** The same bytes in pieces of these lengths, over and over. */
export function* pieces(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const piece = bytes.subarray(at, at + lengths[index % lengths.length]!)
    at += piece.length
    yield Buffer.from(piece)
  }
}

export function streamOf(bytes: Buffer, lengths: readonly number[] = [65_536]): Readable {
  return Readable.from(pieces(bytes, lengths), { objectMode: false })
}

/** For inputs that end as soon as they are long: shorter ones would be uninteresting. */
export function latin1(...texts: readonly string[]): Buffer[] {
  return texts.map((text) => Buffer.from(text, 'latin1'))
}
