import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

export interface SmallRegistry {
  /** The reference of its only image. The host is a loopback address, for which an Engine allows plain HTTP. */
  readonly reference: string
  close(): Promise<void>
}

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'

/**
 * Implements the part of the registry protocol that a pull needs. Its image has one layer and the label of the node.
 */
export async function smallRegistry(layer: Buffer, nodeId: string): Promise<SmallRegistry> {
  const config = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      config: { Labels: { 'io.stagerd.node': nodeId }, Cmd: ['true'] },
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
  const server = createServer(({ url = '', method }, response) => {
    const found = contents.get(url)
    if (!found) return void response.writeHead(404).end()
    const [type, content] = found
    response.writeHead(200, {
      'content-type': type,
      'content-length': content.length,
      'docker-content-digest': digestOf(content),
      'docker-distribution-api-version': 'registry/2.0',
    })
    response.end(method === 'HEAD' ? undefined : content)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    reference: `127.0.0.1:${(server.address() as AddressInfo).port}/small:1`,
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
