import { buffer } from 'node:stream/consumers'
import { ZipFile } from 'yazl'

/** Builds a ZIP file of these entries, in this order. */
export async function zipOf(
  entries: readonly (readonly [name: string, content: string | Buffer])[],
  compress = false,
): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [name, content] of entries) zip.addBuffer(Buffer.from(content), name, { compress })
  zip.end()
  return await buffer(zip.outputStream)
}

/** Replaces a name in a ZIP file with another one of the same length, which no ZIP writer would produce. */
export function renamed(zip: Buffer, from: string, to: string): Buffer {
  if (from.length !== to.length) throw new Error('the names must be of the same length')
  return Buffer.from(zip.toString('latin1').replaceAll(from, to), 'latin1')
}
