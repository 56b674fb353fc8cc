import { isUtf8 } from 'node:buffer'
import { getFileNameLowLevel, type Entry } from 'yauzl'
import { BadInput } from '../errors.js'
import { quote } from '../fqn.js'
import { tarTime, type TarTime } from '../tar-time.js'

export interface ZipMember {
  /** Without leading and trailing slashes; empty for the root. */
  readonly path: string
  readonly kind: 'file' | 'directory' | 'symlink' | 'socket' | 'special'
  readonly mode: number
  readonly time: TarTime
}

/** Systems that store Unix permissions: Unix and macOS. */
const UNIX_SYSTEMS = new Set([3, 19])
const UTF8_FLAG = 0x800
const UNICODE_PATH = 0x7075
const STORED = 0
const DEFLATED = 8

/**
 * What an entry of a zip is. Throws `BadInput` (`bad-zip`) for what two readers would understand differently, or what
 * leads out of the directory.
 */
export function zipMemberOf(entry: Entry): ZipMember {
  const isUnix = UNIX_SYSTEMS.has(entry.versionMadeBy >>> 8)
  const name = nameOf(entry, isUnix)
  const refuse = (why: string) => new BadInput('bad-zip', `Entry ${quote(name)} of the zip is refused: ${why}.`)
  if (name.includes('\ufffd'))
    throw refuse('its name is not UTF-8, although the zip says so; pack it with another program')
  if (name.includes('\0')) throw refuse('its name contains a NUL byte')
  if (name.startsWith('/') || (!isUnix && /^[A-Za-z]:/.test(name)))
    throw refuse('its name is an absolute path; pack the directory itself')
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw refuse('".." could lead out of the package; pack the directory itself')
  if (entry.isEncrypted()) throw refuse('it is encrypted; pack it without a password')
  if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED)
    throw refuse(
      `its compression is of the unusual method ${entry.compressionMethod}; pack it with deflate, as \`zip -r\` does`,
    )
  const unixMode = isUnix ? entry.externalFileAttributes >>> 16 : 0
  const kind = kindOf(unixMode, name)
  return { path: parts.join('/'), kind, mode: modeOf(unixMode, kind), time: timeOf(entry) }
}

/** True where the name is neither marked as UTF-8 nor valid as such, and so is read in the character set of DOS. */
export function hasForeignName({ generalPurposeBitFlag, fileNameRaw, extraFields }: Entry): boolean {
  return (
    (generalPurposeBitFlag & UTF8_FLAG) === 0 &&
    !isUtf8(fileNameRaw) &&
    !extraFields.some(({ id }) => id === UNICODE_PATH)
  )
}

/** Many programs for Unix write names in UTF-8 without saying so. */
function nameOf({ generalPurposeBitFlag, fileNameRaw, extraFields }: Entry, isUnix: boolean): string {
  const flags = isUtf8(fileNameRaw) ? generalPurposeBitFlag | UTF8_FLAG : generalPurposeBitFlag
  const name = getFileNameLowLevel(flags, fileNameRaw, extraFields, true)
  return isUnix ? name : name.replaceAll('\\', '/')
}

function kindOf(unixMode: number, name: string): ZipMember['kind'] {
  switch (unixMode & 0o170000) {
    case 0o120000:
      return 'symlink'
    case 0o140000:
      return 'socket'
    case 0o010000:
    case 0o020000:
    case 0o060000:
      return 'special'
    default:
      return name.endsWith('/') ? 'directory' : 'file'
  }
}

function modeOf(unixMode: number, kind: ZipMember['kind']): number {
  if (unixMode !== 0) return unixMode & 0o777
  return kind === 'directory' ? 0o755 : 0o644
}

/** Zips of DOS have local times without a zone. They are taken as UTC, so that a zip gives the same bytes everywhere. */
function timeOf(entry: Entry): TarTime {
  const time = entry.getLastModDate({ timezone: 'UTC' }).getTime()
  return tarTime(Number.isNaN(time) ? 0n : BigInt(time) * 1_000_000n)
}
