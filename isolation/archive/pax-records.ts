import { BadInput } from '../../base/errors.js'
import { show } from './names.js'

/** What an extended header says of the next entry. Strings are bytes as latin1. */
export interface Extended {
  readonly path?: string
  readonly linkPath?: string
  readonly size?: number
  readonly uid?: number
  readonly gid?: number
  readonly mtime?: number
  /** GNU tar keeps the name of a sparse file apart from that of the member that holds its pieces. */
  readonly sparseName?: string
  readonly sparseSize?: number
}

/** Repeated by design, one pair for each piece of a sparse file. */
const REPEATED = new Set(['GNU.sparse.offset', 'GNU.sparse.numbytes'])
const GLOBAL_ALLOWED = new Set(['comment', 'charset', 'hdrcharset', 'mtime', 'atime', 'ctime'])

/**
 * The records of a PAX extended header (`x`), or of a global one (`g`).
 *
 * EXTENDED ATTRIBUTES
 * - `user.*` is kept, but for `user.overlay.*`.
 * - `trusted.*` and `user.overlay.*` are refused: only an attack writes them, overlayfs would obey them.
 * - Anything else (file capabilities, ACLs, SELinux labels) is left out when the archive is unpacked: honest archives
 *   hold it, and nothing that is uploaded may bring privileges.
 *
 * Throws `BadInput` (`archive-refused`, `archive-corrupt`).
 */
export function parsePaxRecords(body: Buffer, scope: 'entry' | 'global'): Extended {
  const extended: { -readonly [Key in keyof Extended]: Extended[Key] } = {}
  const seen = new Set<string>()
  for (const [key, value] of records(body)) {
    if (scope === 'global' && !GLOBAL_ALLOWED.has(key))
      throw refused(`a global header sets ${show(key)} for every entry; give it with each entry`)
    if (seen.has(key) && !REPEATED.has(key)) throw refused(`an entry states ${show(key)} twice`)
    seen.add(key)
    if (scope === 'global') continue
    switch (key) {
      case 'path':
        extended.path = whole(key, value)
        break
      case 'linkpath':
        extended.linkPath = whole(key, value)
        break
      case 'GNU.sparse.name':
        extended.sparseName = whole(key, value)
        break
      case 'size':
        extended.size = decimal(key, value)
        break
      case 'GNU.sparse.realsize':
      case 'GNU.sparse.size':
        extended.sparseSize = decimal(key, value)
        break
      case 'uid':
        extended.uid = decimal(key, value)
        break
      case 'gid':
        extended.gid = decimal(key, value)
        break
      case 'mtime':
        extended.mtime = time(key, value)
        break
      case 'GNU.dumpdir':
        throw refused('it is an incremental backup; make a plain archive')
      default:
        if (key.startsWith('GNU.volume.')) throw refused('it is one volume of several; make a plain archive')
        refuseForged(key)
    }
  }
  return extended
}

function refuseForged(key: string): void {
  // SCHILY by star and GNU tar; LIBARCHIVE by bsdtar, which percent-encodes the names.
  const attribute = /^(?:SCHILY|LIBARCHIVE)\.xattr\.(.*)$/s.exec(key)?.[1]
  if (attribute === undefined) return
  const plain = attribute.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  if (/^trusted\.|^user\.overlay\./.test(plain))
    throw refused(`an entry carries the attribute ${show(plain)}, which overlayfs keeps for itself`)
}

/** `LENGTH KEY=VALUE\n`, where LENGTH, in decimal, counts all of the record. */
function* records(body: Buffer): Generator<[key: string, value: string]> {
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at)
    const digits = space < 0 ? '' : body.toString('latin1', at, space)
    const length = /^[1-9][0-9]{0,8}$/.test(digits) ? Number(digits) : 0
    const end = at + length
    const record = body.toString('latin1', space + 1, end)
    const equals = record.indexOf('=')
    if (length <= digits.length + 3 || end > body.length || !record.endsWith('\n') || equals < 1)
      throw new BadInput('archive-corrupt', 'An extended header of the archive does not follow the PAX format.')
    yield [record.slice(0, equals), record.slice(equals + 1, -1)]
    at = end
  }
}

function whole(key: string, value: string): string {
  if (value === '' || value.includes('\0')) throw refused(`an entry's ${key} is empty or holds a NUL byte`)
  return value
}

function decimal(key: string, value: string): number {
  const number = /^[0-9]{1,19}$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(number))
    throw refused(`an entry states ${show(value)} as its ${key}, which is not a sensible number`)
  return number
}

function time(key: string, value: string): number {
  if (!/^-?[0-9]{1,15}(\.[0-9]*)?$/.test(value))
    throw refused(`an entry states ${show(value)} as its ${key}, which is not a time`)
  return Number(value)
}

function refused(why: string): BadInput {
  return new BadInput('archive-refused', `The archive is refused: ${why}.`)
}
