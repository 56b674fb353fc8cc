import { BadInput } from '../../base/errors.js'
import { show } from './names.js'
import { PaxSparse } from './pax-sparse.js'
import type { SparseHeader } from './sparse-map.js'

/** Values of an extended header, which apply to the next entry. Strings are bytes as latin1. */
export interface Extended {
  readonly path?: string
  readonly linkPath?: string
  readonly size?: number
  readonly uid?: number
  readonly gid?: number
  readonly mtime?: string
  /** Extended attributes that are kept, one a line. */
  readonly attributes?: string
  /** For a sparse file, GNU tar stores the real name here; the member itself has a placeholder name. */
  readonly sparseName?: string
  readonly sparse?: SparseHeader
}

/** Keys that may repeat: one pair for each segment of a sparse file. */
const REPEATED = new Set(['GNU.sparse.offset', 'GNU.sparse.numbytes'])
const GLOBAL_ALLOWED = new Set(['comment', 'charset', 'hdrcharset', 'mtime', 'atime', 'ctime'])

/**
 * Parses the records of a PAX extended header (`x`) or of a global header (`g`).
 *
 * EXTENDED ATTRIBUTES
 * - `user.*` is kept, except `user.overlay.*`.
 * - `trusted.*` and `user.overlay.*` are refused: overlayfs would act on them, and only an attacker writes them.
 * - All others (file capabilities, ACLs, SELinux labels) are dropped on unpacking: honest archives contain them, but an
 *   upload must not carry privileges.
 *
 * Throws `BadInput` (`archive-refused`, `archive-corrupt`).
 */
export function parsePaxRecords(body: Buffer, scope: 'entry' | 'global'): Extended {
  const extended: { -readonly [Key in keyof Extended]: Extended[Key] } = {}
  const seen = new Set<string>()
  const sparse = new PaxSparse((key, value) => decimal(key, value), refused)
  for (const [key, value] of paxRecords(body)) {
    if (scope === 'global' && !GLOBAL_ALLOWED.has(key))
      throw refused(`a global header sets ${show(key)}; set it in the header of each entry`)
    if (seen.has(key) && !REPEATED.has(key)) throw refused(`the header of an entry has ${show(key)} twice`)
    seen.add(key)
    if (scope === 'global') continue
    switch (key) {
      case 'path':
        extended.path = nonEmpty(key, value)
        break
      case 'linkpath':
        extended.linkPath = nonEmpty(key, value)
        break
      case 'GNU.sparse.name':
        extended.sparseName = nonEmpty(key, value)
        break
      case 'size':
        extended.size = decimal(key, value)
        break
      case 'uid':
        extended.uid = decimal(key, value)
        break
      case 'gid':
        extended.gid = decimal(key, value)
        break
      case 'mtime':
        assertTime(key, value)
        extended.mtime = value
        break
      case 'GNU.dumpdir':
        throw refused('it is an incremental backup; create a plain archive')
      default:
        if (sparse.take(key, value)) break
        if (key.startsWith('GNU.volume.'))
          throw refused('it is one volume of a multi-volume archive; create a plain archive')
        refuseOverlayAttribute(key)
        if (/^(?:SCHILY|LIBARCHIVE)\.xattr\.user\./.test(key))
          extended.attributes = `${extended.attributes ?? ''}${key}=${value}\n`
    }
  }
  const holes = sparse.header()
  return holes ? { ...extended, sparse: holes } : extended
}

function refuseOverlayAttribute(key: string): void {
  // star and GNU tar use SCHILY; bsdtar uses LIBARCHIVE and percent-encodes the names.
  const attribute = /^(?:SCHILY|LIBARCHIVE)\.xattr\.(.*)$/s.exec(key)?.[1]
  if (attribute === undefined) return
  const plain = attribute.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  if (/^trusted\.|^user\.overlay\./.test(plain))
    throw refused(`an entry has the attribute ${show(plain)}, which is reserved for overlayfs`)
}

/** Format: `LENGTH KEY=VALUE\n`. LENGTH is decimal and counts the whole record. */
export function* paxRecords(body: Buffer): Generator<[key: string, value: string]> {
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at)
    const digits = space < 0 ? '' : body.toString('latin1', at, space)
    const length = /^[1-9][0-9]{0,8}$/.test(digits) ? Number(digits) : 0
    const end = at + length
    const record = body.toString('latin1', space + 1, end)
    const equals = record.indexOf('=')
    if (length <= digits.length + 3 || end > body.length || !record.endsWith('\n') || equals < 1)
      throw new BadInput('archive-corrupt', 'An extended header of the archive is not in PAX format.')
    yield [record.slice(0, equals), record.slice(equals + 1, -1)]
    at = end
  }
}

function nonEmpty(key: string, value: string): string {
  if (value === '' || value.includes('\0')) throw refused(`the ${key} of an entry is empty or contains a NUL byte`)
  return value
}

function decimal(key: string, value: string): number {
  const number = /^[0-9]{1,19}$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(number))
    throw refused(`the ${key} of an entry is ${show(value)}, which is not a valid number`)
  return number
}

/** Every time that the kernel can represent: base/tar-time.ts has the rule. */
function assertTime(key: string, value: string): void {
  const second = /^(-?[0-9]{1,19})(?:\.[0-9]*)?$/.exec(value)?.[1]
  // A shorter number fits.
  if (second === undefined || (second.length > 18 && BigInt.asIntN(64, BigInt(second)) !== BigInt(second)))
    throw refused(`the ${key} of an entry is ${show(value)}, which is not a valid time`)
}

function refused(why: string): BadInput {
  return new BadInput('archive-refused', `The archive is refused: ${why}.`)
}
