import { BadInput } from '../../base/errors.js'
import type { Member } from './expected-tree.js'
import type { IdMap } from './id-map.js'
import { show } from './names.js'
import type { TarHeader } from './tar-header.js'

export function assertMapped(name: string, what: 'owner' | 'group', id: number, ids: IdMap): void {
  if (ids.outside(id) !== undefined) return
  throw new BadInput(
    'owner-not-mapped',
    `Entry ${show(name)} is refused: its ${what} ${id} is not among the ids ${ids.insideInWords} that the Docker Engine gives to containers (userns-remap); give the Engine more ids in /etc/subuid and /etc/subgid, or change the ${what}.`,
  )
}

export function kindOf(header: TarHeader, name: string, size: number, refuse: (why: string) => never): Member['kind'] {
  const empty = (kind: 'directory' | 'symlink' | 'hardlink') =>
    size === 0 ? kind : refuse(`it is a ${kind} and must not have data, but has ${size} bytes`)
  switch (header.type) {
    case '0':
    case '\0':
    case '7':
      // Old archives mark directories only with a trailing slash.
      return name.endsWith('/') ? empty('directory') : 'file'
    case 'S':
      return header.sparse ? 'file' : refuse('it is a sparse file in an unknown format')
    case '1':
      return empty('hardlink')
    case '2':
      return empty('symlink')
    case '5':
      return empty('directory')
    case '3':
    case '4':
      return refuse('a package must not contain devices')
    case '6':
      return refuse('a package must not contain named pipes (FIFOs)')
    default:
      return refuse(
        `its type ${show(header.type)} is not allowed: it must be a file, directory, symbolic link or hard link`,
      )
  }
}

/** A GNU long name ends with a NUL, which its size includes. */
export function longText(body: Buffer): string {
  const text = body.toString('latin1')
  const end = text.indexOf('\0')
  const name = end < 0 ? text : text.slice(0, end)
  if (end >= 0 && /[^\0]/.test(text.slice(end)))
    throw new BadInput('archive-refused', `Entry ${show(name)} is refused: its name contains a NUL byte.`)
  return name
}
