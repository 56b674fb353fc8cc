import { priorityOf } from './priority.js'

/** What the journal has of every entry itself. */
const KNOWN_TO_THE_JOURNAL = new Set(['time', 'pid', 'hostname'])

/** The journal ignores a field with a longer name. */
const LONGEST_NAME = 64

/**
 * The entry of the journal for a line of pino, as systemd.journal-fields(7) names its fields and its native protocol encodes
 * them. All that pino has put into the line is in a field of its own, such as STAGERD_STAGING or STAGERD_ERROR_CODE, and for
 * readers in the message too.
 */
export function journalEntry(line: string): Buffer {
  const { level, msg, err, ...details } = JSON.parse(line) as PinoLine
  const fields = Object.entries(details)
    .filter(([key]) => !KNOWN_TO_THE_JOURNAL.has(key))
    .flatMap(([key, value]) => flatten([key], value))
  const cause = err?.message !== undefined && err.message !== msg ? `: ${err.message}` : ''
  const message = [`${msg ?? ''}${cause}`, ...fields.map(({ path, text }) => `${path.join('.')}=${quoted(text)}`)]
  return Buffer.concat([
    encode('MESSAGE', message.join(' ')),
    encode('PRIORITY', String(priorityOf(level))),
    encode('SYSLOG_IDENTIFIER', 'stagerd'),
    ...[...fields, ...flatten(['error'], err)].map(({ path, text }) => encode(nameOf(path), text)),
  ])
}

interface PinoLine {
  readonly level: number
  readonly msg?: string
  readonly err?: { readonly message?: string }
  readonly [key: string]: unknown
}

interface Field {
  readonly path: readonly string[]
  readonly text: string
}

/** A list is one field, because its fields would have no names. */
function flatten(path: readonly string[], value: unknown): readonly Field[] {
  if (value === undefined || value === null) return []
  if (typeof value === 'object' && !Array.isArray(value))
    return Object.entries(value).flatMap(([key, inner]) => flatten([...path, key], inner))
  return [{ path, text: typeof value === 'string' ? value : JSON.stringify(value) }]
}

function quoted(text: string): string {
  return /[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text
}

function nameOf(path: readonly string[]): string {
  const name = path.map((key) => key.replace(/([a-z])([A-Z])/g, '$1_$2')).join('_')
  return `STAGERD_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`.slice(0, LONGEST_NAME)
}

/** A value with line breaks follows its length, in eight bytes, the lowest first. */
function encode(name: string, value: string): Buffer {
  if (!value.includes('\n')) return Buffer.from(`${name}=${value}\n`)
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(bytes.length))
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')])
}
