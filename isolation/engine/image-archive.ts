import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { pack, type Pack } from 'tar-stream'
import type { ImageLayer } from '../layers/layer.js'

/** An image whose root is a chain of layers, for `docker load`. */
export interface ImageDescription {
  /** `repository:tag`. */
  readonly reference: string
  readonly labels: Readonly<Record<string, string>>
  /** Lowest first. */
  readonly layers: readonly ImageLayer[]
}

/**
 * The archive of an image, for a reader that starts at once; it errs when a layer does:
 *
 *   manifest.json
 *   <digest>.json      the configuration, with the digests of all layers
 *   <digest>.tar       a layer, unless it is left out
 *
 * @param leaveOut diff ids of layers at the bottom of the chain that the Engine already has: it does not read them
 */
export function imageArchive(image: ImageDescription, leaveOut: ReadonlySet<string>): Pack {
  const archive = pack()
  writeArchive(archive, image, leaveOut).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))),
  )
  return archive
}

async function writeArchive(archive: Pack, image: ImageDescription, leaveOut: ReadonlySet<string>): Promise<void> {
  const config = imageConfig(image)
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`
  const manifest = [{ Config: configName, RepoTags: [image.reference], Layers: image.layers.map(layerName) }]
  archive.entry({ name: 'manifest.json' }, JSON.stringify(manifest))
  archive.entry({ name: configName }, config)
  const written = new Set(leaveOut)
  for (const layer of image.layers) {
    if (written.has(layer.diffId)) continue
    written.add(layer.diffId)
    await pipeline(await layer.openTar(), archive.entry({ name: layerName(layer), size: layer.tarLength }))
  }
}

/** The same layers and labels always give the same bytes: the digest of this is the id of the image. */
function imageConfig({ labels, layers }: ImageDescription): string {
  return JSON.stringify({
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: { Labels: labels },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  })
}

function layerName({ diffId }: ImageLayer): string {
  return `${diffId.replace(/^sha256:/, '')}.tar`
}

/** Names of architectures: Node's to Go's. */
const ARCHITECTURES: Partial<Record<string, string>> = { x64: 'amd64', ia32: '386' }
