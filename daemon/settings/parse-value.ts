import { LABEL_PATTERN } from '../../base/labels.js'
import { isIPv4, isIPv6 } from 'node:net'
import { Netmask } from 'netmask'
import { parseDuration as durationOf } from '../../base/duration.js'
import { quote } from '../../base/fqn.js'
import { parseSize } from '../../base/size.js'
import { type CompressorChoice, COMPRESSORS } from '../../isolation/compressor-choice.js'
import { LARGEST_MTU, type NetworkMtu, SMALLEST_MTU } from '../../isolation/network-mtu.js'

/**
 * One parser for each type of setting. Each throws an `Error` whose message completes the sentence that begins with the
 * source of the value: `--pids: "x" is not …`.
 */

export function parseText(text: string): string {
  if (text === '') throw new Error('must not be empty')
  return text
}

/** An empty value turns the setting off. */
export function parseOptionalText(text: string): string | undefined {
  return text === '' ? undefined : text
}

/** `all` is an empty list; an empty value turns the setting off. */
export function parsePipelines(text: string): readonly string[] | undefined {
  if (text === '') return undefined
  if (text === 'all') return []
  const names = text.split(',').map((name) => name.trim())
  const wrong = names.find((name) => !/^[a-z0-9][a-z0-9-]*$/.test(name))
  if (wrong !== undefined)
    throw new Error(`${quote(wrong)} is not the name of a pipeline: write all, or names such as nodejs,python`)
  return names
}

/** An empty value has none. */
export function parseLabels(text: string): readonly string[] {
  if (text === '') return []
  const labels = text.split(',').map((label) => label.trim())
  const wrong = labels.find((label) => !new RegExp(LABEL_PATTERN).test(label))
  if (wrong !== undefined)
    throw new Error(
      `${quote(wrong)} is not a label: write 1 to 63 letters, digits and . _ / = - with commas between labels, such as gpu,zone=a`,
    )
  return [...new Set(labels)]
}

export function parseMirror(text: string): string | undefined {
  if (text === '') return undefined
  if (!URL.canParse(text) || !['http:', 'https:'].includes(new URL(text).protocol))
    throw new Error(`${quote(text)} is not a URL such as http://deb.debian.org/debian`)
  return text
}

export function parseBlobStore(text: string): 'directory' | 's3' {
  if (text === 'directory' || text === 's3') return text
  throw new Error(`${quote(text)} is neither "directory" nor "s3"`)
}

export function parseDatabase(text: string): 'sqlite' | 'postgresql' {
  if (text === 'sqlite' || text === 'postgresql') return text
  throw new Error(`${quote(text)} is neither "sqlite" nor "postgresql"`)
}

/** A name, an address without brackets, or the directory of a socket. */
function parsePostgresHost(text: string): string {
  if (/^(?:\/[^\0]*|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)$/.test(text) || isIPv6(text)) return text
  // Of a URL, the value may have a password.
  throw new Error(
    `${/[@/?]/.test(text) ? 'the value' : quote(text)} is not the name or the address of a host, such as db.example.org, nor the directory of a socket, such as /run/postgresql`,
  )
}

/** Between commas. At least one. */
export function parsePostgresHosts(text: string): readonly string[] {
  return text.split(',').map((one) => parsePostgresHost(one.trim()))
}

/** Between commas. At least one. */
export function parsePorts(text: string): readonly number[] {
  return text.split(',').map((one) => parsePort(one.trim()))
}

function parsePort(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text) || Number(text) > 65_535)
    throw new Error(`${quote(text)} is not a port from 1 to 65535`)
  return Number(text)
}

/** The names that PostgreSQL has for them (`sslmode`). */
export const TLS_MODES = ['verify-full', 'verify-ca', 'require', 'disable'] as const
export type TlsMode = (typeof TLS_MODES)[number]

export function parseTlsMode(text: string): TlsMode {
  return oneOf(TLS_MODES, 'a TLS mode', text)
}

/** An empty value is the default of the library. */
export function parseEndpoint(text: string): string | undefined {
  if (text === '') return undefined
  if (text.includes('@')) throw new Error('it has a user name or a password: they belong in a file of their own')
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.href !== `${url.origin}/`)
    throw new Error(`${quote(text)} is not the URL of a server, such as https://s3.example.org:8443`)
  return url.origin
}

/** Empty, or with a slash at its end. */
export function parseObjectPrefix(text: string): string {
  const parts = text.replace(/\/$/, '').split('/')
  if (text === '') return ''
  if (parts.some((part) => !/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(part)) || parts.length > 5)
    throw new Error(
      `${quote(text)} is not a prefix such as stagerd or platform/stagerd: letters, digits, ".", "_", "-"`,
    )
  return `${parts.join('/')}/`
}

export function parseInteger(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new Error(`${quote(text)} is not a whole number from 1 to 999999999`)
  return Number(text)
}

export function parseCount(text: string): number {
  if (!/^[0-9]{1,4}$/.test(text)) throw new Error(`${quote(text)} is not a whole number from 0 to 9999`)
  return Number(text)
}

export function parseNumber(text: string): number {
  const parsed = Number(text)
  if (!Number.isFinite(parsed) || parsed <= 0) throw new Error(`${quote(text)} is not a number above 0`)
  return parsed
}

export function parseBytes(text: string): number {
  const parsed = parseSize(text)
  if (parsed === undefined || parsed <= 0) throw new Error(`${quote(text)} is not a size such as 256MB or 2GB`)
  return parsed
}

/** In milliseconds; at least one second. */
export function parseDuration(text: string): number {
  const parsed = durationOf(text)
  if (parsed === undefined || parsed < 1000)
    throw new Error(`${quote(text)} is not a duration of at least one second, such as 90s or 10m`)
  return parsed
}

/** In milliseconds. Shorter ones are over whenever a host or the database is busy. */
export function parseLease(text: string): number {
  const ms = parseDuration(text)
  if (ms < 3_000 || ms > 600_000) throw new Error(`${quote(text)} is not between 3s and 10m`)
  return ms
}

/** In milliseconds; 0 for "0s". */
export function parseDurationOrNone(text: string): number {
  if (durationOf(text) === 0) return 0
  return parseDuration(text)
}

export function parseNetwork(text: string): string {
  try {
    const block = new Netmask(text)
    // netmask parses IPv6, too.
    if (isIPv4(block.base) && block.bitmask >= 8 && block.bitmask <= 28) return `${block.base}/${block.bitmask}`
  } catch {
    // The error below says more.
  }
  throw new Error(`${quote(text)} is not an IPv4 network of /8 to /28, such as 198.18.0.0/16`)
}

export function parseMtu(text: string): NetworkMtu {
  if (text === 'uplink') return text
  const mtu = /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : 0
  if (mtu < SMALLEST_MTU || mtu > LARGEST_MTU)
    throw new Error(`${quote(text)} is neither "uplink" nor a number of bytes from ${SMALLEST_MTU} to ${LARGEST_MTU}`)
  return mtu
}

const HOST_AND_PORT = /^(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):([1-9]\d{0,4})$/i

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** An empty value turns the setting off. */
export function parseListen(text: string): ListenAddress | undefined {
  if (text === '') return undefined
  const [, bracketed = '', port = ''] = HOST_AND_PORT.exec(text) ?? []
  const host = bracketed.replace(/^\[|\]$/g, '')
  if (host === '' || (bracketed !== host && !isIPv6(host)) || Number(port) > 65_535)
    throw new Error(
      `${quote(text)} is not an address with a port, such as 0.0.0.0:7300, [::]:7300 or stagerd.example.org:7300`,
    )
  return { host, port: Number(port) }
}

export function parseCompressor(text: string): CompressorChoice['name'] {
  return oneOf(['auto', ...COMPRESSORS], 'a compressor', text)
}

export function parseCompressionLevel(text: string): number {
  if (!/^[0-9]$/.test(text)) throw new Error(`${quote(text)} is not a compression level from 0 to 9`)
  return Number(text)
}

export function parseLogLevel(text: string): string {
  return oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'a log level', text)
}

function oneOf<T extends string>(known: readonly T[], what: string, text: string): T {
  const found = known.find((name) => name === text)
  if (found === undefined) throw new Error(`${quote(text)} is not ${what}: use one of ${known.join(', ')}`)
  return found
}
