import path from 'node:path'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

const TARBALL_EXTENSION = /\.(?:tar|tar\.(?:gz|bz2|xz|zst)|tgz|tbz2?|txz|tzst)$/i

/**
 * Derives a local name from the base name of a directory or tarball. Throws `BadInput` (`no-name`) when it contains no
 * character that a name allows.
 */
export function nameOfSource(source: string, isDirectory: boolean): string {
  const base = path.basename(source)
  const stem = isDirectory ? base : base.replace(TARBALL_EXTENSION, '')
  const name = stem
    .replace(/[^A-Za-z0-9._+@-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .replace(/-+$/, '')
    .slice(0, 128)
  if (name === '')
    throw new BadInput('no-name', `No package name can be derived from ${quote(base)}: give one with --name.`)
  return name
}
