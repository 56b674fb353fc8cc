import { BadInput } from '../../../base/errors.js'
import { quote } from '../../../base/fqn.js'
import { textBelowRoot } from '../../../isolation/path-rules.js'

const CONTROL = /[\u0000-\u001f\u007f]/
const PLAIN = (segment: string) => segment !== '' && segment !== '.' && segment !== '..'

/** `path` with a slash at its beginning. Throws `BadInput` (`bad-path`) unless it is below the root, because it is removed. */
export function absolutePath(path: string): string {
  const refuse = (why: string): never => {
    throw new BadInput('bad-path', `${quote(path)} is not a path in a package, such as /usr/share/doc: ${why}.`)
  }
  if (CONTROL.test(path)) refuse('it has a control character')
  return `/${textBelowRoot(path, refuse)}`
}

/**
 * Throws `BadInput` (`bad-path`) unless `path` is relative and stays in the directory of the document.
 *
 * @param document what names the path, for messages
 */
export function assertRelativePath(path: string, document = 'script'): void {
  if (path.startsWith('/') || CONTROL.test(path) || !path.split('/').every(PLAIN))
    throw new BadInput(
      'bad-path',
      `${quote(path)} is not a path relative to the directory of the ${document}, without "." and "..".`,
    )
}
