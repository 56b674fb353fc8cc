import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The version in the nearest package.json above, which is the same file for source and build. */
export function programVersion(): string {
  let directory = path.dirname(fileURLToPath(import.meta.url))
  while (!existsSync(path.join(directory, 'package.json')) && directory !== '/') directory = path.dirname(directory)
  const document: unknown = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8'))
  const version: unknown = typeof document === 'object' && document !== null ? Reflect.get(document, 'version') : ''
  return String(version)
}
