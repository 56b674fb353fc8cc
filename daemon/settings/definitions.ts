import { availableParallelism } from 'node:os'
import {
  parseBytes,
  parseCompressionLevel,
  parseCompressor,
  parseDuration,
  parseInteger,
  parseListen,
  parseLogLevel,
  parseNetwork,
  parseNumber,
  parseOptionalText,
  parseText,
} from './parse-value.js'

export interface Definition<T> {
  /** Key in the settings file. The flag `--KEY` and the variable `STAGERD_KEY` are derived from it. */
  readonly key: string
  /** Placeholder for the value in the help text. */
  readonly placeholder: string
  readonly default: string
  readonly help: string
  readonly parse: (text: string) => T
}

function define<T>(
  key: string,
  placeholder: string,
  parse: (text: string) => T,
  defaultValue: string,
  help: string,
): Definition<T> {
  return { key, placeholder, default: defaultValue, help, parse }
}

const PROCESSORS = availableParallelism()

/** The single list of settings: flags, variables, keys of the file, defaults and help all come from it. */
export const DEFINITIONS = {
  stateDir: define('state-dir', 'DIR', parseText, '/var/lib/stagerd', 'directory of packages, stagings and logs'),
  socket: define('socket', 'PATH', parseText, '/run/stagerd/stagerd.sock', 'control socket'),
  group: define('group', 'NAME', parseText, 'stagerd', 'group that may use the control socket'),
  listen: define('listen', 'HOST:PORT', parseListen, '', 'also serve the control API on a loopback TCP address'),
  concurrency: define('concurrency', 'N', parseInteger, String(Math.max(2, PROCESSORS)), 'stagings that run at once'),
  bridgePool: define('bridge-pool', 'CIDR', parseNetwork, '198.18.0.0/16', 'address pool for the bridges of launches'),
  caBundle: define('ca-bundle', 'FILE', parseOptionalText, '', 'PEM bundle of certificate authorities for stagers'),
  memory: define('memory', 'SIZE', parseBytes, '1GB', 'default memory limit of a stager'),
  cpus: define('cpus', 'N', parseNumber, String(PROCESSORS), 'default CPU limit of a stager'),
  pids: define('pids', 'N', parseInteger, '512', 'default limit of processes and threads of a stager'),
  disk: define('disk', 'SIZE', parseBytes, '4GB', 'default limit of what a stager may write'),
  timeout: define('timeout', 'TIME', parseDuration, '10m', 'default time limit of a stager'),
  compressor: define('compressor', 'NAME', parseCompressor, 'auto', 'igzip, pigz or zlib; auto: the fastest installed'),
  compressionLevel: define('compression-level', 'N', parseCompressionLevel, '1', '0 to 9; igzip goes up to 3'),
  packageQuota: define('package-quota', 'SIZE', parseBytes, '2GB', 'maximum size of the resource of a package'),
  uploadGrace: define('upload-grace', 'TIME', parseDuration, '1h', 'how long gc keeps an upload without a package'),
  logLevel: define('log-level', 'LEVEL', parseLogLevel, 'info', 'trace, debug, info, warn, error or silent'),
}

export type SettingName = keyof typeof DEFINITIONS
export type SettingValue<K extends SettingName> = ReturnType<(typeof DEFINITIONS)[K]['parse']>

export function variableOf(key: string): string {
  return `STAGERD_${key.toUpperCase().replaceAll('-', '_')}`
}
