import path from 'node:path'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

const TARBALL_ENDING = /\.(?:tar|tar\.(?:gz|bz2|xz|zst)|tgz|tbz2?|txz|tzst)$/i

/**
 * A local name made of the base name of a directory or a tarball. Throws `BadInput` (`no-name`) when nothing of it
 * could stand in a name.
 */
export function nameOfSource(source: string, isDirectory: boolean): string {
  const base = path.basename(source)
  const stem = isDirectory ? base : base.replace(TARBALL_ENDING, '')
  const name = stem
    .replace(/[^A-Za-z0-9._+@-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .replace(/-+$/, '')
    .slice(0, 128)
  if (name === '') throw new BadInput('no-name', `${quote(base)} cannot be made into a name: give one with --name.`)
  return name
}
