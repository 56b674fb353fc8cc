import { availableParallelism } from 'node:os'
import { DATABASE } from './database-settings.js'
import { define, type Definition } from './definition.js'
import { parseOptionalPath, parsePath, parseSocketPath } from './parse-path.js'
import { parseNetworks } from './parse-networks.js'
import { parseNatsServers, parseSubjects } from './parse-nats.js'
import { parseProxy } from './parse-proxy.js'
import {
  parseBlobStore,
  parseBytes,
  parseCompressionLevel,
  parseCompressor,
  parseCount,
  parseDuration,
  parseDurationOrNone,
  parseEndpoint,
  parseInteger,
  parseLabels,
  parseLease,
  parseListen,
  parseLogLevel,
  parseMtu,
  parseMirror,
  parseNetwork,
  parseNumber,
  parseObjectPrefix,
  parseOptionalText,
  parsePipelines,
  parseText,
} from './parse-value.js'

const PROCESSORS = availableParallelism()

/**
 * The single list of settings: flags, variables, keys of the file, defaults, help and the type of `Settings` all come from
 * it. Sizes are in bytes, times in milliseconds.
 */
export const DEFINITIONS = {
  stateDir: define('state-dir', 'DIR', parsePath, '/var/lib/stagerd', 'directory of packages, stagings and logs', {
    about:
      'Directory of packages, stagings and logs, on a local filesystem such as ext4, xfs or btrfs. On a separate disk, stagers cannot fill other disks.',
  }),
  socket: define('socket', 'PATH', parseSocketPath, '/run/stagerd/stagerd.sock', 'control socket', {
    about:
      'Control socket: a path of at most 107 bytes. Members of the group can use it, and so control this host, as with the socket of Docker. Without such a group, only root can.',
  }),
  /** If the host has no such group, the socket keeps the group of the daemon, which warns. */
  group: define('group', 'NAME', parseText, 'stagerd', 'group that may use the control socket'),
  /** With TLS and tokens only; see control-address.ts. */
  control: {
    address: define('control-address', 'HOST:PORT', parseListen, '', 'also serve the control API over TCP, with TLS', {
      about:
        'A TCP address on which the control API is served as well, such as "0.0.0.0:7300": with TLS, and for those who have a token (`stagectl token create`). The certificate is followed by those that lead to its authority. Of the key, only the owner and a group may have the right to read it. A reload reads both again.',
    }),
    certificate: define(
      'tls-certificate',
      'FILE',
      parseOptionalPath,
      '',
      'its certificate and those that lead to its authority, in PEM',
    ),
    key: define('tls-key', 'FILE', parseOptionalPath, '', 'the private key of the certificate, mode 0600'),
  },
  /** As other nodes see it that share its database. */
  node: {
    name: define('node-name', 'NAME', parseOptionalText, '', 'name of this node; default: its host name', {
      about: 'Name of this node for people, as `stagectl node list` shows it. By default, the name of the host.',
    }),
    labels: define('node-labels', 'LIST', parseLabels, '', 'labels of this node, comma-separated', {
      about:
        'Labels of this node, such as "gpu,arm64". A stager that needs labels runs on nodes that have all of them.',
    }),
    leaseMs: define(
      'node-lease',
      'TIME',
      parseLease,
      '30s',
      'how long a node that does not answer keeps its stagings',
      {
        about:
          'How long a node of several that share a database may be silent before others go on with its stagings. It renews its lease three times as often, and stops its launches after two thirds of that time.',
      },
    ),
    /** With TLS in both directions only; see node-address.ts. */
    link: {
      address: define('node-address', 'HOST:PORT', parseListen, '', 'where other nodes pass requests on to this one', {
        about:
          'Where other nodes that share a database pass requests on to this one, such as "10.0.0.5:7301": a name or an address that they reach. Both sides prove who they are, with a certificate of an authority that is for the nodes of this fleet alone: whoever has one is trusted as a node, and so as an administrator. docs/fleet.md shows how to make them. Of the key, only the owner and a group may have the right to read it. A reload reads all three again.',
      }),
      certificate: define(
        'node-certificate',
        'FILE',
        parseOptionalPath,
        '',
        'the certificate of this node, and those that lead to the authority, in PEM',
      ),
      key: define('node-key', 'FILE', parseOptionalPath, '', 'the private key of that certificate, mode 0600'),
      authority: define(
        'node-authority',
        'FILE',
        parseOptionalPath,
        '',
        'the certificate of the authority of the fleet, in PEM',
      ),
    },
  },
  concurrency: define('concurrency', 'N', parseInteger, String(Math.max(2, PROCESSORS)), 'stagings that run at once', {
    about:
      'Maximum number of stagings that run at once. Others wait in the order of their submission. The default is the number of CPUs, and at least 2.',
    example: '2',
    reloads: true,
  }),
  /** For --keep-failed. */
  maxKept: define('max-kept', 'N', parseCount, '4', 'containers of failed launches that are kept at once; 0: none', {
    about: 'How many containers of failed stagers are kept at once, for stagings with --keep-failed. 0 keeps none.',
  }),
  /** For launches that come later. */
  prepared: {
    limit: define('prepared', 'N', parseCount, '2', 'containers that are created ahead for launches; 0: none', {
      about:
        'How many containers are created ahead: for the next stagers of stagings that run, for the first ones of those that are queued, and for those that have just run. Their launches then need not wait for one. Each takes a few MiB, at most 32, and a network. 0 creates none.',
    }),
    forMs: define('prepared-for', 'TIME', parseDuration, '10m', 'how long such a container waits', {
      about: 'How long a container that was created ahead waits for a launch.',
    }),
  },
  drainTimeoutMs: define(
    'drain-timeout',
    'TIME',
    parseDurationOrNone,
    '1m',
    'how long a stop lets running stagings end',
    {
      about:
        'How long a stop lets running stagings end, or "0s". New ones stay queued meanwhile. What has not ended by then continues at the next start, with the launch that was interrupted.',
      reloads: true,
    },
  ),
  /** Each launch gets a small network out of it. */
  bridgePool: define('bridge-pool', 'CIDR', parseNetwork, '198.18.0.0/16', 'address pool for the bridges of launches', {
    about:
      'IPv4 network that is divided into the networks of launches, of 16 addresses each. It must not overlap with other networks that this host reaches.',
  }),
  networkMtu: define(
    'network-mtu',
    'BYTES',
    parseMtu,
    'uplink',
    'MTU of these networks; uplink: as the default route',
    {
      about:
        'MTU of these networks: that of the interface with the default route, but at least 1280, or a number of bytes. Set it if packets take another way that carries less, such as a tunnel.',
    },
  ),
  /** Given to stagers and runs, for a host that trusts a private certificate authority. */
  caBundle: define(
    'ca-bundle',
    'FILE',
    parseOptionalPath,
    '',
    'PEM bundle of CA certificates for stagers, runs and webhooks',
    {
      about:
        'PEM bundle of certificate authorities for stagers and runs, and for receivers of webhooks. Stagers and runs find it at /etc/ssl/stagerd-ca.pem, and variables such as SSL_CERT_FILE, CURL_CA_BUNDLE and NODE_EXTRA_CA_CERTS point to it.',
    },
  ),
  /** For launches and runs with egress. */
  proxy: {
    http: define('http-proxy', 'URL', parseProxy, '', 'HTTP proxy for stagers and runs with egress', {
      about:
        'Proxies for stagers and runs with egress: URLs with a port, such as "http://proxy.example.org:3128", and a list of hosts that are reached without them. A proxy on this host needs an IPv4 address of this host that is not loopback. With a password in a URL, give this file mode 0600.',
    }),
    https: define('https-proxy', 'URL', parseProxy, '', 'the same for HTTPS'),
    exceptions: define('no-proxy', 'LIST', parseOptionalText, '', 'what they reach without a proxy, comma-separated'),
  },
  /** Of receivers. */
  webhookNetworks: define(
    'webhook-networks',
    'LIST',
    parseNetworks,
    '',
    'networks that webhooks may be sent to although they are not public, comma-separated',
    {
      about:
        'Networks that webhooks may be sent to although they are not public, such as "10.20.0.0/16,fd12:3456::/32"; others are refused. Who may add a webhook has this host send requests to them. Webhooks use the proxies above.',
    },
  ),
  /** The older staging service, over NATS. */
  cloudFoundry: {
    nats: define(
      'cloud-foundry-nats',
      'LIST',
      parseNatsServers,
      '',
      'NATS servers with staging requests of Cloud Foundry',
      {
        about:
          'The older staging service of Cloud Foundry: NATS servers of which staging requests are taken, such as "nats://10.1.2.3:4222", or tls:// for all of them; "" takes none. Whoever may send requests there stages applications on this node. docs/cloud-foundry.md says what is served. The credentials are in a file of mode 0600: USER:PASSWORD, a token, the seed of an NKey, or a credentials file of NATS. Each subject is the name of its queue group, too.',
      },
    ),
    credentials: define(
      'cloud-foundry-credentials',
      'FILE',
      parseOptionalPath,
      '',
      'file with what to log in at NATS with',
    ),
    subjects: define('cloud-foundry-subjects', 'LIST', parseSubjects, 'staging', 'subjects of staging requests'),
    networks: define(
      'cloud-foundry-networks',
      'LIST',
      parseNetworks,
      '',
      'networks of their URIs that are allowed although they are not public, comma-separated',
      {
        about:
          'Networks to which download_uri and upload_uri may lead although they are not public, such as "10.20.0.0/16"; others are refused. No proxy is used.',
      },
    ),
    frameworks: define(
      'cloud-foundry-frameworks',
      'DIR',
      parseOptionalPath,
      '',
      'directory of files with further frameworks and runtimes of staging requests',
      {
        about:
          'Directory whose files *.toml add frameworks and runtimes of staging requests, or replace those that come with stagerd, by name. stagers/cloud-foundry.toml, where stagerd is installed, has those, and describes the form. The files are read at the start.',
      },
    ),
    maxActiveTasks: define(
      'cloud-foundry-max-active-tasks',
      'N',
      parseInteger,
      '10',
      'staging requests that are under way at once',
      { about: 'How many staging requests are under way at once, and how long each may take.' },
    ),
    maxStagingDurationMs: define(
      'cloud-foundry-max-staging-duration',
      'TIME',
      parseDuration,
      '2m',
      'how long each of them may take',
    ),
  },
  /** Of a stager or run that sets none of its own. */
  limits: {
    memoryBytes: define('memory', 'SIZE', parseBytes, '1GB', 'default memory limit of a stager', {
      about: 'Limits of stagers and runs that set none of their own. The default of cpus is the number of CPUs.',
    }),
    cpus: define('cpus', 'N', parseNumber, String(PROCESSORS), 'default CPU limit of a stager', { example: '2' }),
    pids: define('pids', 'N', parseInteger, '512', 'default limit of processes and threads of a stager'),
    diskBytes: define('disk', 'SIZE', parseBytes, '4GB', 'default limit of what a stager may write'),
    timeoutMs: define('timeout', 'TIME', parseDuration, '10m', 'default time limit of a stager'),
  },
  /** What is kept for stagers from one staging of a package to the next. */
  stagerCache: {
    bytesOfOne: define('stager-cache', 'SIZE', parseBytes, '1GB', 'maximum size of what a stager keeps for a package', {
      about:
        'Maximum size of what a stager keeps from one staging of a package to the next, and of all that stagers keep. What is over the first is not kept; over the second, what was used least recently is removed.',
    }),
    bytesOfAll: define('stager-caches', 'SIZE', parseBytes, '10GB', 'maximum size of all that stagers keep'),
  },
  /** Of snapshots. */
  compressor: {
    name: define('compressor', 'NAME', parseCompressor, 'auto', 'igzip, pigz or zlib; auto: the fastest installed', {
      about:
        'Compressor of snapshots: igzip, pigz or zlib; auto is the fastest one that is installed, which `stagectl node doctor` shows. Levels are 0 to 9, with igzip 0 to 3.',
    }),
    level: define('compression-level', 'N', parseCompressionLevel, '1', '0 to 9; igzip goes up to 3'),
  },
  seccompProfile: define(
    'seccomp-profile',
    'FILE',
    parseOptionalPath,
    '',
    'seccomp profile of stagers and runs; default: that of stagerd',
    {
      about:
        'Which system calls stagers and runs may make: a seccomp profile in the format of Docker. The default is that of stagerd, which is tighter than the one of Docker: docs/security.md says what it takes away.',
    },
  ),
  secretsKey: define(
    'secrets-key',
    'FILE',
    parseOptionalPath,
    '',
    'key that secrets are sealed with; default: its own',
    {
      about:
        'File with the 32 bytes of the key that the secrets of stagings and stagers are sealed with on the disk, mode 0600 or 0400; a credential of systemd can be one. The default is a key that stagerd makes itself, in its state directory.',
    },
  ),
  /** What ships with stagerd, at each start: nothing is done where it is there already. */
  bootstrap: define('bootstrap', 'LIST', parsePipelines, '', 'pipelines to make at the start: all, or their names', {
    about:
      'Pipelines that stagerd makes at its start, with the operating system and the runtimes that they need: "all", or their names, such as "nodejs,python". What is there already is left alone, unless its recipe differs. `stagectl bootstrap` does the same on request. Debian packages come from the mirror that the host uses, or from this one.',
  }),
  debianMirror: define(
    'debian-mirror',
    'URL',
    parseMirror,
    '',
    'mirror for Debian packages; default: that of the host',
  ),
  /** Where everything is but the data of packages: in the state directory, or in a database that several nodes can share. */
  database: DATABASE,
  /** Where the data of packages are: in the state directory, or in a bucket that several nodes share. */
  blobs: {
    store: define('blob-store', 'NAME', parseBlobStore, 'directory', 'where data are: directory, or s3 for a bucket', {
      about:
        'Where the data of packages are: "directory" is the state directory; "s3" is a bucket of an S3-compatible server, which docs/object-store.md describes. Without an endpoint, the bucket is one of AWS. The file of credentials, mode 0600, has the access key in its first line and the secret key in its second; without one, those of the host are used, such as the role of a virtual machine.',
    }),
    endpoint: define('s3-endpoint', 'URL', parseEndpoint, '', 'URL of the server; default: AWS'),
    bucket: define('s3-bucket', 'NAME', parseOptionalText, '', 'the bucket, which must exist'),
    prefix: define('s3-prefix', 'TEXT', parseObjectPrefix, '', 'beginning of the names of all objects'),
    region: define('s3-region', 'NAME', parseText, 'us-east-1', 'region of the bucket'),
    credentials: define('s3-credentials', 'FILE', parseOptionalPath, '', 'file with the access key and the secret key'),
    cacheBytes: define(
      'blob-cache',
      'SIZE',
      parseBytes,
      '20GB',
      'size of the copies that this node keeps of the bucket',
      {
        about:
          'How large the copies are that this node keeps of what is in the bucket, in its state directory. What was used least recently is removed.',
      },
    ),
  },
  /** Unless a policy sets another quota. */
  packageQuotaBytes: define('package-quota', 'SIZE', parseBytes, '2GB', 'maximum size of the resource of a package', {
    about: 'Maximum size of the resource of a package, unless a policy sets another quota.',
  }),
  /** The newest result is kept in any case. */
  history: {
    results: define('results', 'N', parseInteger, '5', 'how many of its last results a package keeps', {
      about:
        'How many of its last results a package keeps, for `stagectl package history` and for stagings with nothing changed, and how much data they have together, beyond that of the package. What they leave over of it is for what the stagers of the newest one have left before the last stager: a staging of which only later stagers have changed begins with that.',
    }),
    bytes: define(
      'results-size',
      'SIZE',
      parseBytes,
      '2GB',
      'how much data they have together, beyond that of the package',
    ),
  },
  launchDataBytes: define('launch-data', 'SIZE', parseBytes, '4GB', 'how much data a launch may have in the store', {
    about:
      'How much data a launch may have in the store at a time, as uploads and snapshots. What it replaces is removed at once. A launch that sends more fails with the cause data-limit.',
  }),
  uploadGraceMs: define('upload-grace', 'TIME', parseDuration, '1h', 'how long gc keeps an upload without a package', {
    about: 'How long `stagectl node gc` keeps an upload that no package refers to.',
  }),
  /** Of what is stored, in the background. */
  verify: {
    periodMs: define(
      'verify-period',
      'TIME',
      parseDurationOrNone,
      '7d',
      'in which time all data is verified once; 0s: never',
      {
        about:
          'In which time all data and all unpacked packages are read once and verified, in the background, and at most how much of it is read in a second. It waits while stagings run, unless something is overdue by a whole period. "0s" verifies only what is read.',
      },
    ),
    bytesPerSecond: define('verify-rate', 'SIZE', parseBytes, '16MB', 'how much of it is read in a second, at most'),
  },
  logLevel: define('log-level', 'LEVEL', parseLogLevel, 'info', 'trace, debug, info, warn, error or silent', {
    about: 'trace, debug, info, warn, error or silent. debug also logs the duration of each step of each launch.',
    reloads: true,
  }),
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
