import { BadInput } from '../../../base/errors.js'
import { quote } from '../../../base/fqn.js'

const CONTROL = /[\u0000-\u001f\u007f]/
const PLAIN = (segment: string) => segment !== '' && segment !== '.' && segment !== '..'

/** Throws `BadInput` (`bad-path`) unless `path` is absolute and below the root: it is given to `rm -rf`. */
export function assertAbsolute(path: string): void {
  if (!path.startsWith('/') || CONTROL.test(path) || !path.slice(1).replace(/\/$/, '').split('/').every(PLAIN))
    throw new BadInput(
      'bad-path',
      `${quote(path)} is not an absolute path without "." and "..", such as /usr/share/doc.`,
    )
}

/** Throws `BadInput` (`bad-path`) unless `path` stays in the directory of the script. */
export function assertBeside(path: string): void {
  if (path.startsWith('/') || CONTROL.test(path) || !path.split('/').every(PLAIN))
    throw new BadInput('bad-path', `${quote(path)} is not the path of a file beside the script, without "." and "..".`)
}
