import { BadInput } from '../../../base/errors.js'
import { quote } from '../../../base/fqn.js'

const CONTROL = /[\u0000-\u001f\u007f]/
const PLAIN = (segment: string) => segment !== '' && segment !== '.' && segment !== '..'

/** Throws `BadInput` (`bad-path`) unless `path` is absolute and below the root: the compiler passes it to `rm -rf`. */
export function assertAbsolutePath(path: string): void {
  if (!path.startsWith('/') || CONTROL.test(path) || !path.slice(1).replace(/\/$/, '').split('/').every(PLAIN))
    throw new BadInput(
      'bad-path',
      `${quote(path)} is not an absolute path without "." and "..", such as /usr/share/doc.`,
    )
}

/** Throws `BadInput` (`bad-path`) unless `path` is relative and stays in the directory of the script. */
export function assertRelativePath(path: string): void {
  if (path.startsWith('/') || CONTROL.test(path) || !path.split('/').every(PLAIN))
    throw new BadInput(
      'bad-path',
      `${quote(path)} is not a path relative to the directory of the script, without "." and "..".`,
    )
}
