import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

export interface SmallRegistry {
  /** The reference of its only image. The host is a loopback address, for which an Engine allows plain HTTP. */
  readonly reference: string
  /** Resolves when a pull waits for the rest of the layer. */
  readonly hasStalled: Promise<void>
  close(): Promise<void>
}

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'

export interface SmallRegistryOptions {
  /** Of the image. */
  readonly config?: object
  readonly architecture?: string
  /** Wants a login. */
  readonly login?: boolean
  /** Sends only the beginning of the layer, and never ends it. */
  readonly stalls?: boolean
}

/** The one that this host runs, as registries name it. */
const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'amd64'

/**
 * Implements the part of the registry protocol that a pull needs. Its image has one layer and the label of the node.
 */
export async function smallRegistry(
  layer: Buffer,
  nodeId: string,
  { config: more = {}, architecture = ARCHITECTURE, login = false, stalls = false }: SmallRegistryOptions = {},
): Promise<SmallRegistry> {
  const config = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture,
      config: { Cmd: ['true'], ...more, Labels: { 'io.stagerd.node': nodeId } },
      rootfs: { type: 'layers', diff_ids: [digestOf(gunzipSync(layer))] },
    }),
  )
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: described('application/vnd.docker.container.image.v1+json', config),
      layers: [described('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)],
    }),
  )
  const contents = new Map<string, readonly [type: string, content: Buffer]>([
    ['/v2/', ['application/json', Buffer.from('{}')]],
    ['/v2/small/manifests/1', [MANIFEST, manifest]],
    [`/v2/small/manifests/${digestOf(manifest)}`, [MANIFEST, manifest]],
    ...[config, layer].map(
      (blob) => [`/v2/small/blobs/${digestOf(blob)}`, ['application/octet-stream', blob]] as const,
    ),
  ])
  let stalled: () => void = () => undefined
  const hasStalled = new Promise<void>((resolve) => (stalled = resolve))
  const server = createServer(({ url = '', method }, response) => {
    if (login) return void response.writeHead(401, { 'www-authenticate': 'Basic realm="small"' }).end()
    const found = contents.get(url)
    if (!found) return void response.writeHead(404).end()
    const [type, content] = found
    response.writeHead(200, {
      'content-type': type,
      'content-length': content.length,
      'docker-content-digest': digestOf(content),
      'docker-distribution-api-version': 'registry/2.0',
    })
    if (stalls && content === layer && method !== 'HEAD') {
      response.write(content.subarray(0, 1000))
      stalled()
    } else response.end(method === 'HEAD' ? undefined : content)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    reference: `127.0.0.1:${(server.address() as AddressInfo).port}/small:1`,
    hasStalled,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function described(mediaType: string, content: Buffer) {
  return { mediaType, size: content.length, digest: digestOf(content) }
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}
