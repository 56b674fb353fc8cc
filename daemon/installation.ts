import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout or package that this program is part of; this file is in its dist/daemon. */
export const INSTALL_DIRECTORY = path.resolve(fileURLToPath(new URL('../..', import.meta.url)))

export async function installedVersion(): Promise<string> {
  const manifest = await readFile(path.join(INSTALL_DIRECTORY, 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
