import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import tar, { type Header } from 'tar-stream'

export interface TarEntry {
  readonly header: Header
  readonly text: string
}

/** The entries of a gzipped tarball, in order. */
export async function readTar(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<TarEntry[]> {
  const entries: TarEntry[] = []
  const extract = tar.extract()
  const reading = (async () => {
    for await (const entry of extract) {
      let text = ''
      for await (const chunk of entry as AsyncIterable<Buffer>) text += chunk.toString()
      entries.push({ header: entry.header, text })
    }
  })()
  await pipeline(Readable.from(chunks), createGunzip(), extract)
  await reading
  return entries
}

/** The names of entries. Those of directories end with a slash. */
export function names(entries: readonly TarEntry[]): string[] {
  return entries.map(({ header }) => (header.type === 'directory' ? `${header.name}/` : header.name))
}
