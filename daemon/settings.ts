import { availableParallelism } from 'node:os'
import { readFile } from 'node:fs/promises'
import bytes from 'bytes'
import ms, { type StringValue } from 'ms'
import { Netmask } from 'netmask'
import { parse as parseToml } from 'smol-toml'
import { BadInput, errnoOf, messageOf } from '../base/errors.js'
import { quote } from '../base/fqn.js'
import type { Limits } from '../isolation/launch-plan.js'
import { type CompressorChoice, COMPRESSORS } from '../isolation/compressor-choice.js'

export interface Settings {
  readonly stateDir: string
  readonly socket: string
  /** Group of the control socket; it is left to the daemon's own group when the host has none of that name. */
  readonly group: string
  /** Optional TCP address of the control API, without any authentication of its own: loopback only. */
  readonly listen: { readonly host: string; readonly port: number } | undefined
  /** Stagings at work at once. */
  readonly concurrency: number
  /** Cut into one small network for each launch. */
  readonly bridgePool: string
  /** PEM file handed to stagers, on a host that trusts a private certificate authority. */
  readonly caBundle: string | undefined
  /** Limits of a stager that names none. */
  readonly limits: Limits
  /** The largest resource that is taken in, in bytes. */
  readonly packageQuotaBytes: number
  /** What makes the gzip of snapshots. */
  readonly compressor: CompressorChoice
  /** How long an upload that no package names yet is safe from the collection of garbage. */
  readonly uploadGraceMs: number
  readonly logLevel: string
}

interface Setting<T> {
  /** As in the file; `--KEY` and `STAGERD_KEY` are made from it. */
  readonly key: string
  readonly value: string
  readonly fallback: string
  readonly help: string
  readonly parse: (text: string) => T
}

/** Every setting, once: from here come the flags, the variables, the file's keys and the help. */
export const SETTINGS = {
  stateDir: text('state-dir', 'DIR', '/var/lib/stagerd', 'where packages, stagings and logs are kept'),
  socket: text('socket', 'PATH', '/run/stagerd/stagerd.sock', 'control socket'),
  group: text('group', 'NAME', 'stagerd', 'group that may use the control socket'),
  listen: setting('listen', 'HOST:PORT', '', 'control API on a loopback TCP address too', parseListen),
  concurrency: setting(
    'concurrency',
    'N',
    String(Math.max(2, availableParallelism())),
    'stagings at work at once',
    parseInteger,
  ),
  bridgePool: setting('bridge-pool', 'CIDR', '198.18.0.0/16', 'addresses for the bridges of launches', parsePool),
  caBundle: setting('ca-bundle', 'FILE', '', 'PEM bundle of certificate authorities handed to stagers', (value) =>
    value === '' ? undefined : value,
  ),
  memory: setting('memory', 'SIZE', '1GB', "a stager's memory, where it names none", parseBytes),
  cpus: setting('cpus', 'N', String(availableParallelism()), "a stager's processors, where it names none", parseNumber),
  pids: setting('pids', 'N', '512', "a stager's processes and threads, where it names none", parseInteger),
  disk: setting('disk', 'SIZE', '4GB', 'what a stager may write, where it names nothing', parseBytes),
  timeout: setting('timeout', 'TIME', '10m', 'how long a stager may run, where it names nothing', parseDuration),
  compressor: setting(
    'compressor',
    'NAME',
    'auto',
    'igzip, pigz or zlib; auto takes the fastest that is there',
    parseCompressor,
  ),
  compressionLevel: setting('compression-level', 'N', '1', '0 to 9; igzip goes up to 3', parseCompressionLevel),
  packageQuota: setting('package-quota', 'SIZE', '2GB', 'the largest resource of a package', parseBytes),
  uploadGrace: setting('upload-grace', 'TIME', '1h', 'how long gc leaves an upload without a package', parseDuration),
  logLevel: setting('log-level', 'LEVEL', 'info', 'trace, debug, info, warn, error or silent', parseLevel),
}

type Key = keyof typeof SETTINGS

/**
 * Flag over environment (`STAGERD_*`) over file over default.
 *
 * Throws `BadInput` (`bad-setting`) that names the setting, where it came from, and what would be right.
 *
 * @param flags values as given on the command line, by the setting's name
 * @param file path of a TOML file; a missing one is an error only when `fileIsRequired`
 */
export async function loadSettings(
  flags: Readonly<Partial<Record<Key, string>>>,
  environment: Readonly<Record<string, string | undefined>>,
  file: string,
  fileIsRequired: boolean,
): Promise<Settings> {
  const fromFile = await readSettingsFile(file, fileIsRequired)
  const get = <K extends Key>(name: K): ReturnType<(typeof SETTINGS)[K]['parse']> => {
    const { key, fallback, parse } = SETTINGS[name]
    const variable = `STAGERD_${key.toUpperCase().replaceAll('-', '_')}`
    const sources: [string, string | undefined][] = [
      [`--${key}`, flags[name]],
      [variable, environment[variable]],
      [`${key} in ${file}`, fromFile.get(key)],
      ['the default', fallback],
    ]
    const [source, value] = sources.find(([, candidate]) => candidate !== undefined) ?? ['', '']
    try {
      return parse(value ?? '') as ReturnType<(typeof SETTINGS)[K]['parse']>
    } catch (error) {
      throw new BadInput('bad-setting', `${source}: ${messageOf(error)}.`, { cause: error })
    }
  }
  return {
    stateDir: get('stateDir'),
    socket: get('socket'),
    group: get('group'),
    listen: get('listen'),
    concurrency: get('concurrency'),
    bridgePool: get('bridgePool'),
    caBundle: get('caBundle'),
    limits: {
      memoryBytes: get('memory'),
      cpus: get('cpus'),
      pids: get('pids'),
      diskBytes: get('disk'),
      timeoutMs: get('timeout'),
    },
    packageQuotaBytes: get('packageQuota'),
    compressor: { name: get('compressor'), level: get('compressionLevel') },
    uploadGraceMs: get('uploadGrace'),
    logLevel: get('logLevel'),
  }
}

async function readSettingsFile(file: string, required: boolean): Promise<Map<string, string>> {
  let content: string
  try {
    content = await readFile(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && !required) return new Map()
    throw new BadInput('bad-settings-file', `The settings file ${file} cannot be read: ${messageOf(error)}.`, {
      cause: error,
    })
  }
  const known = new Map(Object.values(SETTINGS).map(({ key }) => [key, true]))
  const found = new Map<string, string>()
  for (const [key, value] of Object.entries(parseFile(file, content))) {
    if (!known.has(key))
      throw new BadInput(
        'bad-setting',
        `${quote(key)} in ${file} is not a setting: the settings are ${[...known.keys()].join(', ')}.`,
      )
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new BadInput('bad-setting', `${key} in ${file} has to be text or a number.`)
    found.set(key, String(value))
  }
  return found
}

function parseFile(file: string, content: string): Record<string, unknown> {
  try {
    return parseToml(content)
  } catch (error) {
    throw new BadInput('bad-settings-file', `${file} is not TOML: ${messageOf(error)}`, { cause: error })
  }
}

function setting<T>(
  key: string,
  value: string,
  fallback: string,
  help: string,
  parse: (text: string) => T,
): Setting<T> {
  return { key, value, fallback, help, parse }
}

function text(key: string, value: string, fallback: string, help: string): Setting<string> {
  return setting(key, value, fallback, help, (given) => {
    if (given === '') throw new Error('it has to be something')
    return given
  })
}

function parseInteger(given: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(given)) throw new Error(`${quote(given)} is not a whole number from 1 on`)
  return Number(given)
}

function parseNumber(given: string): number {
  const parsed = Number(given)
  if (!Number.isFinite(parsed) || parsed <= 0) throw new Error(`${quote(given)} is not a number above 0`)
  return parsed
}

function parseBytes(given: string): number {
  const parsed = bytes.parse(given)
  if (parsed === null || parsed <= 0) throw new Error(`${quote(given)} is not a size such as 256MB or 2GB`)
  return parsed
}

function parseDuration(given: string): number {
  const parsed = ms(given as StringValue) as number | undefined
  if (parsed === undefined || !(parsed >= 1000)) throw new Error(`${quote(given)} is not a time such as 90s or 10m`)
  return parsed
}

function parsePool(given: string): string {
  try {
    const block = new Netmask(given)
    if (block.bitmask >= 8 && block.bitmask <= 28) return `${block.base}/${block.bitmask}`
  } catch {
    // Said below.
  }
  throw new Error(`${quote(given)} is not an IPv4 network such as 198.18.0.0/16, of /8 to /28`)
}

const LOOPBACK_LISTEN = /^(127(?:\.\d{1,3}){3}|localhost|\[::1\]):(\d{1,5})$/

function parseListen(given: string): { host: string; port: number } | undefined {
  if (given === '') return undefined
  const [, host = '', port = ''] = LOOPBACK_LISTEN.exec(given) ?? []
  if (host === '' || Number(port) > 65535)
    throw new Error(
      `${quote(given)} is not a loopback address and a port such as 127.0.0.1:7300; anybody who reaches the API commands this host, so publish it through a proxy that asks who is there`,
    )
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

function parseCompressor(given: string): CompressorChoice['name'] {
  const known = (['auto', ...COMPRESSORS] as const).find((name) => name === given)
  if (known === undefined) throw new Error(`${quote(given)} is not a compressor: auto, ${COMPRESSORS.join(', ')}`)
  return known
}

function parseCompressionLevel(given: string): number {
  if (!/^[0-9]$/.test(given)) throw new Error(`${quote(given)} is not a level from 0 to 9`)
  return Number(given)
}

function parseLevel(given: string): string {
  if (!['trace', 'debug', 'info', 'warn', 'error', 'silent'].includes(given))
    throw new Error(`${quote(given)} is not a level: trace, debug, info, warn, error or silent`)
  return given
}
