import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout or package that this program is part of: the nearest directory above with a package.json. */
export function installDirectory(): string {
  let directory = path.dirname(fileURLToPath(import.meta.url))
  while (!existsSync(path.join(directory, 'package.json')) && directory !== '/') directory = path.dirname(directory)
  return directory
}

export function installedVersion(): string {
  const manifest = readFileSync(path.join(installDirectory(), 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
