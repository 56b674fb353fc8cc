import { availableParallelism } from 'node:os'
import { parseOptionalPath, parsePath, parseSocketPath } from './parse-path.js'
import { parseProxy } from './parse-proxy.js'
import {
  parseBytes,
  parseCompressionLevel,
  parseCompressor,
  parseCount,
  parseDuration,
  parseInteger,
  parseListen,
  parseLogLevel,
  parseMtu,
  parseMirror,
  parseNetwork,
  parseNumber,
  parseOptionalText,
  parsePipelines,
  parseText,
} from './parse-value.js'

export interface Definition<T> {
  /** Key in the settings file. The flag `--KEY` and the variable `STAGERD_KEY` are derived from it. */
  readonly key: string
  /** Placeholder for the value in the help text. */
  readonly placeholder: string
  readonly default: string
  readonly help: string
  /** @param base the directory that a relative path starts from */
  readonly parse: (text: string, base: string) => T
}

function define<T>(
  key: string,
  placeholder: string,
  parse: Definition<T>['parse'],
  defaultValue: string,
  help: string,
): Definition<T> {
  return { key, placeholder, default: defaultValue, help, parse }
}

const PROCESSORS = availableParallelism()

/**
 * The single list of settings: flags, variables, keys of the file, defaults, help and the type of `Settings` all come from
 * it. Sizes are in bytes, times in milliseconds.
 */
export const DEFINITIONS = {
  stateDir: define('state-dir', 'DIR', parsePath, '/var/lib/stagerd', 'directory of packages, stagings and logs'),
  socket: define('socket', 'PATH', parseSocketPath, '/run/stagerd/stagerd.sock', 'control socket'),
  /** If the host has no such group, the socket keeps the group of the daemon, which warns. */
  group: define('group', 'NAME', parseText, 'stagerd', 'group that may use the control socket'),
  /** With TLS and tokens only; see control-address.ts. */
  control: {
    address: define('control-address', 'HOST:PORT', parseListen, '', 'also serve the control API over TCP, with TLS'),
    certificate: define(
      'tls-certificate',
      'FILE',
      parseOptionalPath,
      '',
      'its certificate and those that lead to its authority, in PEM',
    ),
    key: define('tls-key', 'FILE', parseOptionalPath, '', 'the private key of the certificate, mode 0600'),
  },
  concurrency: define('concurrency', 'N', parseInteger, String(Math.max(2, PROCESSORS)), 'stagings that run at once'),
  /** For --keep-failed. */
  maxKept: define('max-kept', 'N', parseCount, '4', 'containers of failed launches that are kept at once; 0: none'),
  /** Each launch gets a small network out of it. */
  bridgePool: define('bridge-pool', 'CIDR', parseNetwork, '198.18.0.0/16', 'address pool for the bridges of launches'),
  networkMtu: define('network-mtu', 'BYTES', parseMtu, 'uplink', 'MTU of these networks; uplink: as the default route'),
  /** Given to stagers and runs, for a host that trusts a private certificate authority. */
  caBundle: define('ca-bundle', 'FILE', parseOptionalPath, '', 'PEM bundle of CA certificates for stagers and runs'),
  /** For launches and runs with egress. */
  proxy: {
    http: define('http-proxy', 'URL', parseProxy, '', 'HTTP proxy for stagers and runs with egress'),
    https: define('https-proxy', 'URL', parseProxy, '', 'the same for HTTPS'),
    exceptions: define('no-proxy', 'LIST', parseOptionalText, '', 'what they reach without a proxy, comma-separated'),
  },
  /** Of a stager or run that sets none of its own. */
  limits: {
    memoryBytes: define('memory', 'SIZE', parseBytes, '1GB', 'default memory limit of a stager'),
    cpus: define('cpus', 'N', parseNumber, String(PROCESSORS), 'default CPU limit of a stager'),
    pids: define('pids', 'N', parseInteger, '512', 'default limit of processes and threads of a stager'),
    diskBytes: define('disk', 'SIZE', parseBytes, '4GB', 'default limit of what a stager may write'),
    timeoutMs: define('timeout', 'TIME', parseDuration, '10m', 'default time limit of a stager'),
  },
  /** What is kept for stagers from one staging of a package to the next. */
  stagerCache: {
    bytesOfOne: define('stager-cache', 'SIZE', parseBytes, '1GB', 'maximum size of what a stager keeps for a package'),
    bytesOfAll: define('stager-caches', 'SIZE', parseBytes, '10GB', 'maximum size of all that stagers keep'),
  },
  /** Of snapshots. */
  compressor: {
    name: define('compressor', 'NAME', parseCompressor, 'auto', 'igzip, pigz or zlib; auto: the fastest installed'),
    level: define('compression-level', 'N', parseCompressionLevel, '1', '0 to 9; igzip goes up to 3'),
  },
  /** What ships with stagerd, at each start: nothing is done where it is there already. */
  bootstrap: define('bootstrap', 'LIST', parsePipelines, '', 'pipelines to make at the start: all, or their names'),
  debianMirror: define(
    'debian-mirror',
    'URL',
    parseMirror,
    '',
    'mirror for Debian packages; default: that of the host',
  ),
  /** Unless a policy sets another quota. */
  packageQuotaBytes: define('package-quota', 'SIZE', parseBytes, '2GB', 'maximum size of the resource of a package'),
  /** The newest result is kept in any case. */
  history: {
    results: define('results', 'N', parseInteger, '5', 'how many of its last results a package keeps'),
    bytes: define(
      'results-size',
      'SIZE',
      parseBytes,
      '2GB',
      'how much data they have together, beyond that of the package',
    ),
  },
  uploadGraceMs: define('upload-grace', 'TIME', parseDuration, '1h', 'how long gc keeps an upload without a package'),
  logLevel: define('log-level', 'LEVEL', parseLogLevel, 'info', 'trace, debug, info, warn, error or silent'),
}

/** Everything that can be configured, parsed and checked. */
export type Settings = Parsed<typeof DEFINITIONS>

type Parsed<D> = { readonly [K in keyof D]: D[K] extends Definition<infer T> ? T : Parsed<D[K]> }

/** A definition, or a group of definitions by the name of its value. */
export type DefinitionTree = Definition<unknown> | { readonly [name: string]: DefinitionTree }

export function isDefinition(tree: DefinitionTree): tree is Definition<unknown> {
  return typeof tree.parse === 'function'
}

/** All definitions, in the order of the list. */
export function listDefinitions(tree: DefinitionTree = DEFINITIONS): readonly Definition<unknown>[] {
  return isDefinition(tree) ? [tree] : Object.values(tree).flatMap(listDefinitions)
}
