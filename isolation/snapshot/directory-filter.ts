import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

/**
 * A directory as the Stager API names it, from the root, bytes as latin1; the empty string is everything.
 *
 * Throws `BadInput` (`bad-directory`) unless it is an absolute, plain path.
 */
export function parseDirectory(directory: string | undefined): string {
  if (directory === undefined) return ''
  const segments = directory.replace(/\/+$/, '').split('/').slice(1)
  const isPlain = segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  if (!directory.startsWith('/') || !isPlain || directory.includes('\0'))
    throw new BadInput(
      'bad-directory',
      `${quote(directory)} is not a directory to take a snapshot of: give an absolute path without "." and "..", such as /opt/app.`,
    )
  return Buffer.from(segments.join('/')).toString('latin1')
}

/** How `path` stands to the directory `filter`. */
export function position(path: string, filter: string): 'within' | 'ancestor' | 'outside' {
  if (filter === '' || path === filter || path.startsWith(`${filter}/`)) return 'within'
  return filter.startsWith(`${path}/`) ? 'ancestor' : 'outside'
}
