import type { Readable } from 'node:stream'
import { RUNNER } from '../../base/runner.js'
import { tarEntry } from '../../base/tar-blocks.js'
import { tarTime } from '../../base/tar-time.js'
import type { ArchiveObserver } from '../../isolation/archive-observer.js'
import type { Compression } from '../../isolation/compression.js'
import type { Capability } from '../packages/metadata.js'
import { DROPLET_HOME } from '../packages/droplet/runner-script.js'
import type { BlobStore } from '../store/blob-store.js'
import { type ArchiveFacts, type ExpectedContent, ResourceIngest } from '../store/resource-ingest.js'
import { DropletContents } from './droplet-contents.js'

export interface DropletUploadsParts {
  readonly blobs: BlobStore
  readonly detectCompression: (body: Readable) => Promise<Compression>
  readonly scan: (body: Readable, signal: AbortSignal, observer: ArchiveObserver) => Promise<ArchiveFacts>
  /** Everything in an archive, below another directory, as gzip; `first` are members before it. */
  readonly move: (
    body: Readable,
    compression: Compression,
    options: {
      readonly move: { readonly from: ''; readonly to: string; readonly owner: number; readonly keepLinks: true }
      readonly first: Uint8Array
      readonly level: number
      readonly signal: AbortSignal
    },
  ) => Promise<Readable>
}

export interface ReceivedDroplet {
  /** Of what is stored. */
  readonly sha256: string
  readonly length: number
  readonly entries: number
  /** Empty for a droplet that stagerd has not made. */
  readonly dependencies: readonly Capability[]
}

/**
 * Takes droplets that are to run. Like every upload, one is scanned before anything of it is visible. What is stored in its
 * place is a layer: everything below DROPLET_HOME, and owned by the user that runs it, as if that user had unpacked it.
 */
export class DropletUploads {
  constructor(private readonly parts: DropletUploadsParts) {}

  /** Throws what `ResourceIngest.receive` throws, and `BadInput` (`bad-droplet`). */
  async receive(body: Readable, expected: ExpectedContent, signal: AbortSignal): Promise<ReceivedDroplet> {
    const { blobs, detectCompression, scan, move } = this.parts
    const contents = new DropletContents()
    const ingest = new ResourceIngest(blobs, {
      detectCompression,
      scan: async (sent, aborted) => {
        const facts = await scan(sent, aborted, contents)
        contents.assertDroplet()
        // So that it is stored as what `canonicalise` makes of it.
        return { ...facts, canonical: false }
      },
      canonicalise: (sent, compression, aborted) =>
        move(sent, compression, {
          move: { from: '', to: DROPLET_HOME.slice(1), owner: RUNNER, keepLinks: true },
          first: HOME,
          level: 1,
          signal: aborted,
        }),
    })
    const { resource, entries } = await ingest.receive(body, expected, signal)
    const { sha256, length } = resource
    return { sha256, length, entries, dependencies: contents.dependencies }
  }
}

/** The user puts files there, such as run.pid. */
const HOME = tarEntry({
  ...{ path: DROPLET_HOME.slice(1), kind: 'directory', mode: 0o755 },
  ...{ owner: RUNNER, time: tarTime(0n) },
})
