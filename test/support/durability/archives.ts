import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { tarOf } from '../tar-builder.js'

/** A gzipped tarball of texts by path. */
export async function archiveOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const members = Object.entries(files).map(([name, data]) => ({ name, data }))
  return await promisify(gzip)(tarOf(...members))
}

/** Whether a gzipped tarball has a file of this name. Rejects for what is none, or is not whole. */
export async function hasFile(archive: Buffer, name: string): Promise<boolean> {
  const tar = await promisify(gunzip)(archive)
  if (!tar.includes('\0')) throw new Error('it is empty')
  return tar.includes(`${name}\0`)
}
