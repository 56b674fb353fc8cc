import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BadInput } from '../../../base/errors.js'
import { loadSettings, type SettingSources } from '../../../daemon/settings/load-settings.js'

let directory: string
let file: string
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-settings-'))
  file = path.join(directory, 'stagerd.toml')
})
afterEach(() => rm(directory, { recursive: true }))

const load = (sources: Partial<SettingSources> = {}) =>
  loadSettings({ flags: {}, environment: {}, file, fileIsRequired: false, workingDirectory: '/work', ...sources })

const loadFile = async (content: string) => {
  await writeFile(file, content)
  return await load()
}

/** The sentence that the user sees, with the temporary path of the file left out. */
const refusal = async (loading: Promise<unknown>) => {
  const error = await loading.then(
    () => expect.fail('the settings were accepted'),
    (thrown: unknown) => thrown,
  )
  // `BadInput` is what makes the daemon exit with 2.
  expect(error).toBeInstanceOf(BadInput)
  const { code, message } = error as BadInput
  return { code, message: message.replaceAll(file, 'FILE') }
}

it('without a file, flags or variables, every setting has its default', async () => {
  const processors = availableParallelism()
  expect(await load()).toEqual({
    stateDir: '/var/lib/stagerd',
    socket: '/run/stagerd/stagerd.sock',
    group: 'stagerd',
    control: { address: undefined, certificate: undefined, key: undefined },
    node: {
      ...{ name: undefined, labels: [], leaseMs: 30_000 },
      link: { address: undefined, certificate: undefined, key: undefined, authority: undefined },
    },
    concurrency: Math.max(2, processors),
    maxKept: 4,
    prepared: { limit: 2, forMs: 600_000 },
    drainTimeoutMs: 60_000,
    bridgePool: '198.18.0.0/16',
    networkMtu: 'uplink',
    caBundle: undefined,
    proxy: { http: undefined, https: undefined, exceptions: undefined },
    webhookNetworks: [],
    cloudFoundry: {
      ...{ nats: undefined, credentials: undefined, subjects: ['staging'], networks: [] },
      ...{ maxActiveTasks: 10, maxStagingDurationMs: 120_000 },
    },
    seccompProfile: undefined,
    limits: { memoryBytes: 2 ** 30, cpus: processors, pids: 512, diskBytes: 4 * 2 ** 30, timeoutMs: 600_000 },
    stagerCache: { bytesOfOne: 2 ** 30, bytesOfAll: 10 * 2 ** 30 },
    database: {
      ...{
        kind: 'sqlite',
        hosts: ['/run/postgresql'],
        ports: [5432],
        name: 'stagerd',
        user: 'stagerd',
        connections: 10,
      },
      ...{ tls: 'verify-full', authorities: undefined, password: undefined, certificate: undefined, key: undefined },
    },
    blobs: {
      ...{ store: 'directory', endpoint: undefined, bucket: undefined, prefix: '', region: 'us-east-1' },
      ...{ credentials: undefined, cacheBytes: 20 * 2 ** 30 },
    },
    packageQuotaBytes: 2 * 2 ** 30,
    compressor: { name: 'auto', level: 1 },
    history: { results: 5, bytes: 2 * 1024 ** 3 },
    launchDataBytes: 4 * 2 ** 30,
    uploadGraceMs: 3_600_000,
    verify: { periodMs: 7 * 24 * 3_600_000, bytesPerSecond: 16 * 2 ** 20 },
    logLevel: 'info',
  })
})

it('the file may set every setting', async () => {
  const settings = await loadFile(`
    state-dir = "/srv/stagerd"
    socket = "/srv/stagerd.sock"
    group = "staff"
    control-address = "[::]:7300"
    tls-certificate = "tls/host.pem"
    tls-key = "/etc/ssl/private/host.key"
    node-name = "build-3"
    node-labels = "gpu, zone=a,gpu"
    node-lease = "1m"
    node-address = "[fd12:3456::5]:7301"
    node-certificate = "node.pem"
    node-key = "/etc/stagerd/node-key.pem"
    node-authority = "fleet.pem"
    concurrency = 3
    max-kept = 0
    prepared = 5
    prepared-for = "90s"
    drain-timeout = "0s"
    bridge-pool = "10.1.2.3/20"
    network-mtu = 1400
    ca-bundle = "/etc/ca.pem"
    http-proxy = "http://user:pa%40ss@proxy.example.org:3128"
    https-proxy = "http://192.168.1.2:8080/"
    no-proxy = "localhost, .example.org"
    webhook-networks = "10.20.0.0/16, fd12:3456::/32"
    cloud-foundry-nats = "tls://nats.example.org, tls://10.1.2.3:4333"
    cloud-foundry-credentials = "nats.txt"
    cloud-foundry-subjects = "staging, vcap.stager.staging"
    cloud-foundry-networks = "10.1.2.0/24"
    cloud-foundry-max-active-tasks = 4
    cloud-foundry-max-staging-duration = "5s"
    seccomp-profile = "seccomp.json"
    memory = "256MB"
    cpus = 0.5
    pids = "9"
    disk = "1.5GB"
    timeout = "90s"
    compressor = "zlib"
    compression-level = 0
    stager-cache = 2000
    stager-caches = "1MB"
    database = "postgresql"
    postgresql-host = "fd12:3456::5, db.example.org"
    postgresql-port = "6432,5432"
    postgresql-database = "fleet"
    postgresql-user = "node"
    postgresql-password = "db.txt"
    postgresql-tls = "verify-ca"
    postgresql-ca = "db-ca.pem"
    postgresql-certificate = "db.pem"
    postgresql-key = "db.key"
    postgresql-connections = 4
    blob-store = "s3"
    s3-endpoint = "http://10.1.2.3:8080/"
    s3-bucket = "packages"
    s3-prefix = "platform/stagerd"
    s3-region = "eu-1"
    s3-credentials = "s3.txt"
    blob-cache = "5GB"
    package-quota = 1000
    results = 3
    results-size = "1GB"
    upload-grace = "2h"
    launch-data = "1GB"
    verify-period = "24h"
    verify-rate = "1MB"
    log-level = "silent"
  `)
  expect(settings).toEqual({
    stateDir: '/srv/stagerd',
    socket: '/srv/stagerd.sock',
    group: 'staff',
    control: {
      address: { host: '::', port: 7300 },
      certificate: path.join(path.dirname(file), 'tls/host.pem'),
      key: '/etc/ssl/private/host.key',
    },
    node: {
      ...{ name: 'build-3', labels: ['gpu', 'zone=a'], leaseMs: 60_000 },
      link: {
        address: { host: 'fd12:3456::5', port: 7301 },
        certificate: path.join(path.dirname(file), 'node.pem'),
        key: '/etc/stagerd/node-key.pem',
        authority: path.join(path.dirname(file), 'fleet.pem'),
      },
    },
    concurrency: 3,
    maxKept: 0,
    prepared: { limit: 5, forMs: 90_000 },
    drainTimeoutMs: 0,
    bridgePool: '10.1.0.0/20',
    networkMtu: 1400,
    caBundle: '/etc/ca.pem',
    seccompProfile: path.join(path.dirname(file), 'seccomp.json'),
    webhookNetworks: ['10.20.0.0/16', 'fd12:3456::/32'],
    cloudFoundry: {
      nats: { servers: ['nats.example.org:4222', '10.1.2.3:4333'], tls: true },
      credentials: path.join(directory, 'nats.txt'),
      subjects: ['staging', 'vcap.stager.staging'],
      networks: ['10.1.2.0/24'],
      ...{ maxActiveTasks: 4, maxStagingDurationMs: 5000 },
    },
    proxy: {
      http: { url: 'http://user:pa%40ss@proxy.example.org:3128', host: 'proxy.example.org', port: 3128 },
      https: { url: 'http://192.168.1.2:8080/', host: '192.168.1.2', port: 8080 },
      exceptions: 'localhost, .example.org',
    },
    limits: { memoryBytes: 256 * 2 ** 20, cpus: 0.5, pids: 9, diskBytes: 1.5 * 2 ** 30, timeoutMs: 90_000 },
    stagerCache: { bytesOfOne: 2000, bytesOfAll: 2 ** 20 },
    database: {
      ...{
        kind: 'postgresql',
        hosts: ['fd12:3456::5', 'db.example.org'],
        ports: [6432, 5432],
        name: 'fleet',
        user: 'node',
        tls: 'verify-ca',
      },
      ...{ password: path.join(directory, 'db.txt'), authorities: path.join(directory, 'db-ca.pem') },
      ...{ certificate: path.join(directory, 'db.pem'), key: path.join(directory, 'db.key'), connections: 4 },
    },
    blobs: {
      ...{ store: 's3', endpoint: 'http://10.1.2.3:8080', bucket: 'packages', prefix: 'platform/stagerd/' },
      ...{ region: 'eu-1', credentials: path.join(path.dirname(file), 's3.txt'), cacheBytes: 5 * 2 ** 30 },
    },
    packageQuotaBytes: 1000,
    compressor: { name: 'zlib', level: 0 },
    history: { results: 3, bytes: 1024 ** 3 },
    launchDataBytes: 2 ** 30,
    uploadGraceMs: 7_200_000,
    verify: { periodMs: 24 * 3_600_000, bytesPerSecond: 2 ** 20 },
    logLevel: 'silent',
  })
})

it('a table of the file stands for the begin of its keys, in which underscores stand for hyphens', async () => {
  const flat = await loadFile('log-level = "warn"\ncloud-foundry-nats = "nats://x"\ncloud-foundry-max-active-tasks = 4')
  const table = 'log-level = "warn"\n[cloud-foundry]\nnats = "nats://x"\nmax-active-tasks = 4'
  expect(await loadFile(table)).toEqual(flat)
  expect(await loadFile('log-level = "warn"\ncloud_foundry = { nats = "nats://x", max_active_tasks = 4 }')).toEqual(
    flat,
  )
  expect(flat.cloudFoundry.maxActiveTasks).toBe(4)
})

it('a flag overrides a variable, a variable overrides the file', async () => {
  await writeFile(file, 'pids = 1\nlog-level = "error"\ncompression-level = 2')
  const environment = { STAGERD_PIDS: '3', STAGERD_LOG_LEVEL: 'warn' }
  const { limits, logLevel, compressor } = await load({ flags: { pids: '4' }, environment })
  expect({ pids: limits.pids, logLevel, level: compressor.level }).toEqual({ pids: 4, logLevel: 'warn', level: 2 })
})

it('an empty variable or flag turns off what the file sets, where a setting is optional', async () => {
  await writeFile(file, 'control-address = "127.0.0.1:7300"\nca-bundle = "/etc/ca.pem"')
  const { control, caBundle } = await load({ flags: { controlAddress: '' }, environment: { STAGERD_CA_BUNDLE: '' } })
  expect({ address: control.address, caBundle }).toEqual({ address: undefined, caBundle: undefined })
})

describe('a relative path', () => {
  const paths = { stateDir: 'state', socket: './run/../stagerd.sock', caBundle: '../ca.pem' }

  it('in a flag or a variable starts from the working directory', async () => {
    const expected = { stateDir: '/work/state', socket: '/work/stagerd.sock', caBundle: '/ca.pem' }
    expect(await load({ flags: paths })).toMatchObject(expected)
    const environment = {
      STAGERD_STATE_DIR: paths.stateDir,
      STAGERD_SOCKET: paths.socket,
      STAGERD_CA_BUNDLE: paths.caBundle,
    }
    expect(await load({ environment })).toMatchObject(expected)
  })

  it('in the file starts from the directory of the file, which may have a relative path itself', async () => {
    await writeFile(file, 'state-dir = "state"\nsocket = "stagerd.sock"\nca-bundle = "../ca.pem"')
    const expected = {
      stateDir: path.join(directory, 'state'),
      socket: path.join(directory, 'stagerd.sock'),
      caBundle: path.join(path.dirname(directory), 'ca.pem'),
    }
    expect(await load()).toMatchObject(expected)
    expect(await load({ file: 'stagerd.toml', workingDirectory: directory })).toMatchObject(expected)
  })

  it('of a socket may have 107 bytes when it is resolved', async () => {
    const { socket } = await load({ flags: { socket: 's'.repeat(101) } })
    expect(Buffer.byteLength(socket)).toBe(107)
  })
})

describe('the settings file', () => {
  it('must exist when the user named it', async () => {
    expect(await refusal(load({ fileIsRequired: true }))).toEqual({
      code: 'bad-settings-file',
      message: "The settings file FILE cannot be read: ENOENT: no such file or directory, open 'FILE'.",
    })
  })

  it('must be readable, even when it may be missing', async () => {
    expect(await refusal(load({ file: directory }))).toEqual({
      code: 'bad-settings-file',
      message: `The settings file ${directory} cannot be read: EISDIR: illegal operation on a directory, read.`,
    })
  })

  it('must be TOML', async () => {
    const { code, message } = await refusal(loadFile('pids = \n'))
    expect(code).toBe('bad-settings-file')
    expect(message).toMatch(/^Line 1 of FILE, at column 8, is not valid TOML: \S.*\.$/)
  })

  it.each([
    ['in the line of a syntax error', 'http-proxy = "http://user:secret@proxy:3128'],
    ['in the line before one', 'http-proxy = "http://user:secret@proxy:3128"\npids = '],
    ['in the value of a setting', 'https-proxy = "http://user:secret@proxy"'],
    ['in a value of another type', 'http-proxy = ["http://user:secret@proxy:3128"]'],
  ])('with a password %s is refused without showing it', async (_where, content) => {
    expect((await refusal(loadFile(content))).message).not.toContain('secret')
  })

  const known =
    'the settings are state-dir, socket, group, control-address, tls-certificate, tls-key, node-name, node-labels, node-lease, node-address, node-certificate, node-key, node-authority, concurrency, max-kept, prepared, prepared-for, drain-timeout, bridge-pool, network-mtu, ca-bundle, http-proxy, https-proxy, no-proxy, webhook-networks, cloud-foundry-nats, cloud-foundry-credentials, cloud-foundry-subjects, cloud-foundry-networks, cloud-foundry-frameworks, cloud-foundry-max-active-tasks, cloud-foundry-max-staging-duration, memory, cpus, pids, disk, timeout, stager-cache, stager-caches, compressor, compression-level, seccomp-profile, secrets-key, bootstrap, debian-mirror, database, postgresql-host, postgresql-port, postgresql-database, postgresql-user, postgresql-password, postgresql-tls, postgresql-ca, postgresql-certificate, postgresql-key, postgresql-connections, blob-store, s3-endpoint, s3-bucket, s3-prefix, s3-region, s3-credentials, blob-cache, package-quota, results, results-size, launch-data, upload-grace, verify-period, verify-rate, log-level'

  it.each([
    ['an unknown key', 'memroy = "1GB"', `"memroy" in line 1 of FILE is not a setting: ${known}.`],
    [
      'an unknown section',
      '# Limits\n[limits]\nmemory = "1GB"',
      `"limits" in line 2 of FILE is not a setting: ${known}.`,
    ],
    [
      'a section in place of a value',
      '[memory]\nsize = 1',
      'memory in line 1 of FILE is a table, but must be a string or a number: SIZE, by default "1GB".',
    ],
    [
      'a boolean',
      'socket = false',
      'socket in line 1 of FILE is false, but must be a string or a number: PATH, by default "/run/stagerd/stagerd.sock".',
    ],
    [
      'a list',
      'socket = ["/a", "/b"]',
      'socket in line 1 of FILE is an array, but must be a string or a number: PATH, by default "/run/stagerd/stagerd.sock".',
    ],
    [
      'a date',
      'timeout = 2026-01-01',
      'timeout in line 1 of FILE is a date, but must be a string or a number: TIME, by default "10m".',
    ],
    [
      'a key that its table does not have',
      '[cloud-foundry]\nnats = "nats://x"\ntask = 1',
      '"task" in line 3 of FILE is not a setting of the table [cloud-foundry]: those of [cloud-foundry] are nats, credentials, subjects, networks, frameworks, max-active-tasks, max-staging-duration.',
    ],
    [
      'a setting that has got into a table',
      '[cloud-foundry]\nmax-active-tasks = 2\n\nlog-level = "warn"',
      '"log-level" in line 4 of FILE is not a setting of the table [cloud-foundry]: write log-level above the first table.',
    ],
    [
      'a setting in a table and outside of it',
      'cloud-foundry-max-active-tasks = 1\n[cloud-foundry]\nnats = ""\nmax_active_tasks = 2',
      'cloud-foundry-max-active-tasks is in line 1 of FILE and in line 4 of FILE: leave out one of them.',
    ],
    [
      'a list in a table',
      '[cloud-foundry]\nsubjects = ["staging"]',
      'cloud-foundry-subjects in line 2 of FILE is an array, but must be a string or a number: LIST, by default "staging".',
    ],
  ])('%s is refused', async (_what, content, message) => {
    expect(await refusal(loadFile(content))).toEqual({ code: 'bad-setting', message })
  })

  it('is the source that a bad value is reported with, with its line, after its key', async () => {
    expect((await refusal(loadFile('memory = "1GB"\n\n# Processes\npids = 0.5\n'))).message).toBe(
      'pids in line 4 of FILE: "0.5" is not a whole number from 1 to 999999999.',
    )
  })

  it('has keys that look like others in texts of several lines, which are not taken for them', async () => {
    const { message } = await refusal(loadFile('no-proxy = """\npids = 1\n""" # a list\n"pids" = "x"\ncpus = 1'))
    expect(message).toMatch(/^pids in line 4 of FILE: /)
  })
})

describe('a bad value', () => {
  it('in a variable is reported with the name of the variable', async () => {
    expect(await refusal(load({ environment: { STAGERD_STATE_DIR: '' } }))).toEqual({
      code: 'bad-setting',
      message: 'STAGERD_STATE_DIR: must not be empty.',
    })
  })

  const endpoint = 'is not the URL of a server, such as https://s3.example.org:8443'
  const host =
    'is not the name or the address of a host, such as db.example.org, nor the directory of a socket, such as /run/postgresql'
  const prefix = 'is not a prefix such as stagerd or platform/stagerd: letters, digits, ".", "_", "-"'
  const mtu = 'is neither "uplink" nor a number of bytes from 1280 to 65535'
  const network = 'is not an IPv4 network of /8 to /28, such as 198.18.0.0/16'
  const duration = 'is not a duration of at least one second, such as 90s or 10m'
  const size = 'is not a size such as 256MB or 2GB'
  const integer = 'is not a whole number from 1 to 999999999'
  const listen = 'is not an address with a port, such as 0.0.0.0:7300, [::]:7300 or stagerd.example.org:7300'
  const proxy =
    'the value is not the URL of an HTTP proxy with its port, such as http://proxy.example.org:3128 (it is not shown, because it may contain a password)'
  const unreachable = 'name an address of it that is neither loopback nor link-local'
  const compressor = 'is not a compressor: use one of auto, igzip, pigz, zlib'
  const logLevel = 'is not a log level: use one of trace, debug, info, warn, error, silent'

  const longSocket = `/${'s'.repeat(107)}`

  it.each([
    ['stateDir', '', '--state-dir: must not be empty.'],
    ['stateDir', 'a\0b', '--state-dir: "a\\u0000b" contains a NUL byte, which no path can have.'],
    ['stateDir', '~/state', '--state-dir: "~/state" is not a path, because ~ is not expanded: write the path out.'],
    [
      'caBundle',
      '$HOME/ca.pem',
      '--ca-bundle: "$HOME/ca.pem" is not a path, because $ is not expanded: write the path out.',
    ],
    ['socket', 'unix:///run/s.sock', '--socket: "unix:///run/s.sock" is a URL: write the path alone.'],
    ['socket', '/run/stagerd/', '--socket: "/run/stagerd/" is a directory: write the path of the socket in it.'],
    ['socket', longSocket, `--socket: "${longSocket}" has 108 bytes, but the path of a socket at most 107.`],
    [
      'socket',
      'é'.repeat(51),
      `--socket: "/work/${'é'.repeat(51)}" has 108 bytes, but the path of a socket at most 107.`,
    ],
    ['socket', '', '--socket: must not be empty.'],
    ['group', '', '--group: must not be empty.'],
    ['concurrency', '0', `--concurrency: "0" ${integer}.`],
    ['concurrency', '-1', `--concurrency: "-1" ${integer}.`],
    ['concurrency', '1.5', `--concurrency: "1.5" ${integer}.`],
    ['pids', 'many', `--pids: "many" ${integer}.`],
    ['pids', '1000000000', `--pids: "1000000000" ${integer}.`],
    ['cpus', '0', `--cpus: "0" is not a number above 0.`],
    ['cpus', 'all', `--cpus: "all" is not a number above 0.`],
    ['cpus', 'Infinity', `--cpus: "Infinity" is not a number above 0.`],
    ['memory', '', `--memory: "" ${size}.`],
    ['memory', 'lots', `--memory: "lots" ${size}.`],
    ['memory', '0', `--memory: "0" ${size}.`],
    ['disk', '-4GB', `--disk: "-4GB" ${size}.`],
    ['packageQuota', 'GB', `--package-quota: "GB" ${size}.`],
    ['disk', '12 apples', `--disk: "12 apples" ${size}.`],
    ['database', 'mysql', '--database: "mysql" is neither "sqlite" nor "postgresql".'],
    ['postgresqlHost', 'db.example.org,', `--postgresql-host: "" ${host}.`],
    ['postgresqlHost', 'postgres://node:sesame@db', `--postgresql-host: the value ${host}.`],
    ['postgresqlPort', '65536', '--postgresql-port: "65536" is not a port from 1 to 65535.'],
    [
      'postgresqlTls',
      'prefer',
      '--postgresql-tls: "prefer" is not a TLS mode: use one of verify-full, verify-ca, require, disable.',
    ],
    ['blobStore', 'gcs', '--blob-store: "gcs" is neither "directory" nor "s3".'],
    ['s3Endpoint', 's3.example.org', `--s3-endpoint: "s3.example.org" ${endpoint}.`],
    ['s3Endpoint', 'https://s3.example.org/bucket', `--s3-endpoint: "https://s3.example.org/bucket" ${endpoint}.`],
    [
      's3Endpoint',
      'https://key:secret@s3.example.org',
      '--s3-endpoint: it has a user name or a password: they belong in a file of their own.',
    ],
    ['s3Prefix', '../up', `--s3-prefix: "../up" ${prefix}.`],
    ['timeout', '', `--timeout: "" ${duration}.`],
    ['timeout', 'soon', `--timeout: "soon" ${duration}.`],
    ['timeout', '999ms', `--timeout: "999ms" ${duration}.`],
    ['timeout', '-1m', `--timeout: "-1m" ${duration}.`],
    ['uploadGrace', '10', `--upload-grace: "10" ${duration}.`],
    ['drainTimeout', '0', `--drain-timeout: "0" ${duration}.`],
    ['bridgePool', '198.18.0.0', `--bridge-pool: "198.18.0.0" ${network}.`],
    ['bridgePool', '198.18.0.0/7', `--bridge-pool: "198.18.0.0/7" ${network}.`],
    ['bridgePool', '198.18.0.0/29', `--bridge-pool: "198.18.0.0/29" ${network}.`],
    ['bridgePool', '198.18.0.256/16', `--bridge-pool: "198.18.0.256/16" ${network}.`],
    ['bridgePool', 'fd00::/16', `--bridge-pool: "fd00::/16" ${network}.`],
    ['networkMtu', '1279', `--network-mtu: "1279" ${mtu}.`],
    ['networkMtu', '65536', `--network-mtu: "65536" ${mtu}.`],
    ['networkMtu', 'auto', `--network-mtu: "auto" ${mtu}.`],
    ['controlAddress', '127.0.0.1', `--control-address: "127.0.0.1" ${listen}.`],
    ['controlAddress', ':7300', `--control-address: ":7300" ${listen}.`],
    ['controlAddress', '*:7300', `--control-address: "*:7300" ${listen}.`],
    ['controlAddress', 'localhost:65536', `--control-address: "localhost:65536" ${listen}.`],
    ['controlAddress', '[::1:7300', `--control-address: "[::1:7300" ${listen}.`],
    ['controlAddress', '[10.0.0.1]:7300', `--control-address: "[10.0.0.1]:7300" ${listen}.`],
    ['controlAddress', 'https://host:7300', `--control-address: "https://host:7300" ${listen}.`],
    [
      'cloudFoundryNats',
      'localhost',
      '--cloud-foundry-nats: has an entry that is not a URL such as nats://nats.example.org:4222 or tls://10.1.2.3:4222.',
    ],
    [
      'cloudFoundryNats',
      'nats://me:secret@x',
      '--cloud-foundry-nats: has a user or a password: write them into the file of cloud-foundry-credentials.',
    ],
    [
      'cloudFoundryNats',
      'nats://x,tls://y',
      '--cloud-foundry-nats: has servers with TLS and without: write nats:// or tls:// for all of them.',
    ],
    [
      'cloudFoundrySubjects',
      'a.*',
      '--cloud-foundry-subjects: has "a.*", which is not a subject such as vcap.stager.staging.',
    ],
    ['webhookNetworks', '10/8', '--webhook-networks: "10/8" is not a network such as 10.20.0.0/16 or fd12:3456::/32.'],
    ['webhookNetworks', 'home', '--webhook-networks: "home" is not a network such as 10.20.0.0/16 or fd12:3456::/32.'],
    ['httpProxy', 'proxy:3128', `--http-proxy: ${proxy}.`],
    ['httpProxy', 'http://proxy', `--http-proxy: ${proxy}.`],
    ['httpProxy', 'http://proxy:65536', `--http-proxy: ${proxy}.`],
    ['httpProxy', 'http://proxy:0', `--http-proxy: ${proxy}.`],
    ['httpProxy', 'http://a b@proxy:1', `--http-proxy: ${proxy}.`],
    ['httpsProxy', 'socks5://proxy:1080', `--https-proxy: ${proxy}.`],
    [
      'httpsProxy',
      'http://127.0.0.1:3128',
      `--https-proxy: containers do not reach a proxy at 127.0.0.1: ${unreachable}.`,
    ],
    [
      'httpsProxy',
      'http://localhost:3128',
      `--https-proxy: containers do not reach a proxy at localhost: ${unreachable}.`,
    ],
    [
      'httpsProxy',
      'http://[fd00::1]:3128',
      '--https-proxy: the proxy has an IPv6 address, but containers have IPv4 only: name a proxy that has IPv4.',
    ],
    ['compressor', 'lzma', `--compressor: "lzma" ${compressor}.`],
    ['compressor', '', `--compressor: "" ${compressor}.`],
    ['compressionLevel', '10', `--compression-level: "10" is not a compression level from 0 to 9.`],
    ['logLevel', 'loud', `--log-level: "loud" ${logLevel}.`],
  ] as const)('%s = "%s" is refused', async (name, text, message) => {
    expect(await refusal(load({ flags: { [name]: text } }))).toEqual({ code: 'bad-setting', message })
  })
})
