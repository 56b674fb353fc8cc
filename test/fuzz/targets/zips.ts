import { buffer } from 'node:stream/consumers'
import { deflateRawSync } from 'node:zlib'
import { LeftOut } from '../../../cli/pack/left-out.js'
import { zipTar } from '../../../base/zip/zip-tar.js'
import { importSetOf } from '../../../daemon/exchange/import-set.js'
import { parseManifest, printManifest } from '../../../daemon/exchange/manifest.js'
import { readExchangeFile } from '../../../daemon/exchange/zip-reader.js'
import { crc32 } from '../../../base/crc32.js'
import { DEFAULT_ARCHIVE_LIMITS } from '../../../isolation/archive/limits.js'
import { scanArchive } from '../../../isolation/archive/scan.js'
import { assertHolds, assertSame, BrokenLaw, type FuzzTarget } from '../fuzz-target.js'
import { fileWith, openFile, streamOf } from './support.js'

const never = () => new AbortController().signal

interface Entry {
  readonly name: string
  readonly content: string
  readonly unixMode?: number
  readonly deflated?: boolean
  readonly extra?: Buffer
}

/** As `zip` writes it, with permissions of Unix. */
function zipOf(...entries: readonly Entry[]): Buffer {
  const local: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const { name, content, unixMode = 0o100644, deflated = false, extra = Buffer.alloc(0) } of entries) {
    const plain = Buffer.from(content)
    const data = deflated ? deflateRawSync(plain) : plain
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(deflated ? 8 : 0, 4)
    common.writeUInt16LE(0x21, 8)
    common.writeUInt32LE(crc32(plain), 10)
    common.writeUInt32LE(data.length, 14)
    common.writeUInt32LE(plain.length, 18)
    common.writeUInt16LE(Buffer.byteLength(name), 22)
    common.writeUInt16LE(extra.length, 24)
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE((unixMode << 16) >>> 0, 6)
    rest.writeUInt32LE(offset, 10)
    central.push(Buffer.from('PK\x01\x02\x1e\x03', 'latin1'), common, rest, Buffer.from(name), extra)
    const entry = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), extra, data])
    local.push(entry)
    offset += entry.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 4)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(directory.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...local, directory, Buffer.from('PK\x05\x06'), end])
}

const RESOURCE = 'PACKAGE_RESOURCE_0001.tar.gz'

const MANIFEST = {
  format: 'stagerd-exchange',
  version: 1,
  packages: [
    {
      fqn: 'package::/acme::shop',
      state: 'ready',
      dependencies: [{ type: 'os', name: 'linux' }],
      provides: [{ type: 'runtime', name: 'shop' }],
      environment: { PATH: '/opt/shop/bin:$PATH' },
      templates: [{ path: '/etc/shop.conf', left_delimiter: '{{', right_delimiter: '}}' }],
      version: '1.2',
      manifest: { start_cmd: './shop', env: { A: 'b' } },
      resource: {
        file: RESOURCE,
        digest: `sha256:${'0'.repeat(64)}`,
        length: 10,
        removals: [{ kind: 'opaque', path: 'etc/a%25' }],
      },
    },
  ],
  stagers: [
    {
      fqn: 'job::/acme::build',
      package: 'package::/acme::shop',
      start_command: './build',
      additive: false,
      allow_egress: false,
      user: 'runner',
      limits: { cpus: 1, memory_bytes: 2 ** 28, disk_bytes: 2 ** 30, pids: 100, timeout_ms: 600_000 },
      dependencies: [],
      environment: {},
    },
  ],
  pipelines: [{ fqn: 'stagpipe::/acme::build', stagers: ['job::/acme::build'], signs: ['shop.json'] }],
}

const ZIP_TOKENS = [
  ...['PK\x01\x02', 'PK\x03\x04', 'PK\x05\x06', 'PK\x06\x06', 'PK\x06\x07', '\x08\x00', '\x00\x08', '\x01\x00'],
  ...['\xff\xff\xff\xff', '\xff\xff', '../', '/', 'C:\\', '\\', '\x75\x70', '\x01\x00\x10\x00'],
]

const zipSource: FuzzTarget = {
  name: 'zip-source',
  law: 'The tar of a zip is one that the daemon understands: it refuses no more than names.',
  refusals: ['bad-zip', 'nothing-to-pack', 'archive-too-large'],
  maxBytes: 32 * 1024,
  tokens: ZIP_TOKENS,
  seeds: [
    zipOf({ name: 'a/', content: '', unixMode: 0o040755 }, { name: 'a/b', content: 'one' }),
    zipOf({ name: 'l', content: 'a/b', unixMode: 0o120777 }, { name: 'c', content: 'c'.repeat(100), deflated: true }),
    zipOf({ name: 'é', content: 'x', extra: Buffer.from('757009000100000000636166c3a9', 'hex') }),
    zipOf({ name: 's', content: '', unixMode: 0o140777 }, { name: 'f', content: '', unixMode: 0o010600 }),
  ],
  run: async (bytes) => {
    const request = {
      file: fileWith('zip', bytes),
      length: bytes.length,
      leftOut: new LeftOut(),
      onForeignName: () => undefined,
    }
    const tar = await buffer(zipTar(request))
    try {
      await scanArchive(streamOf(tar), DEFAULT_ARCHIVE_LIMITS, never())
      return 'accepted'
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'archive-refused') return 'refused by the daemon'
      throw new BrokenLaw(`the tar of it is not understood: ${String(error)}`)
    }
  },
}

const exchangeFile: FuzzTarget = {
  name: 'exchange-file',
  law: 'Each resource of an exchange file is as long as its directory says, or is refused.',
  refusals: ['bad-exchange-file', 'exchange-too-large', 'bad-manifest', 'manifest-too-new'],
  maxBytes: 32 * 1024,
  tokens: [...ZIP_TOKENS, 'STAGERD_MANIFEST.json', RESOURCE],
  seeds: [
    zipOf({ name: 'STAGERD_MANIFEST.json', content: JSON.stringify(MANIFEST) }, { name: RESOURCE, content: 'x' }),
    zipOf({ name: RESOURCE, content: 'x'.repeat(50), deflated: true }),
  ],
  run: async (bytes) => {
    const { manifest, resources } = await readExchangeFile(openFile(bytes), bytes.length)
    for (const resource of resources.values()) {
      let read = 0
      for await (const chunk of await resource.open()) read += (chunk as Buffer).length
      assertHolds(read === resource.length, `a resource of ${resource.length} bytes has ${read}`)
    }
    if (manifest === undefined) return `${resources.size} resources, no manifest`
    parseManifest(manifest)
    return `${resources.size} resources`
  },
}

const exchangeManifest: FuzzTarget = {
  name: 'exchange-manifest',
  law: 'A manifest that is accepted is printed as one that says the same, and what is imported can be.',
  refusals: [
    ...['bad-manifest', 'manifest-too-new', 'bad-fqn', 'bad-name', 'bad-namespace', 'same-name-twice', 'bad-removal'],
    ...['bad-sign', 'bad-command', 'bad-user', 'bad-environment-key', 'bad-environment-value', 'bad-template'],
    ...['bad-capability', 'too-much-metadata', 'bad-limits', 'bad-secret-name'],
  ],
  maxBytes: 64 * 1024,
  tokens: [
    ...['{', '}', '[', ']', ':', ',', '"', 'null', 'true', '1e999', '-0', '\\u0000', '\\ud800', '"__proto__":', 'é'],
    ...Object.keys(MANIFEST.packages[0]!).map((key) => `"${key}":`),
    ...Object.keys(MANIFEST.stagers[0]!).map((key) => `"${key}":`),
    ...['"secrets":', '"signs":', '"recipe":', '"sha1":', 'package::/', '::', '%00', '../', '/', 'removed'],
  ],
  seeds: [JSON.stringify(MANIFEST), JSON.stringify({ ...MANIFEST, packages: [], stagers: [], pipelines: [] })],
  run: (bytes) => {
    const manifest = parseManifest(bytes.toString('utf8'))
    assertSame(parseManifest(printManifest(manifest)), manifest, 'the printed manifest')
    const set = importSetOf(manifest, undefined)
    const moved = importSetOf(manifest, '/elsewhere')
    assertSame(moved.packages.length, set.packages.length, 'the packages that are moved')
    return `${Math.min(2, set.packages.length)} ${Math.min(2, set.stagers.length)} ${Math.min(2, set.pipelines.length)}`
  },
}

export const ZIPS: readonly FuzzTarget[] = [zipSource, exchangeFile, exchangeManifest]
