import { randomUUID } from 'node:crypto'
import { PassThrough, pipeline, type Readable, Transform } from 'node:stream'
import type { Compression, Resource } from '../packages/package.js'
import type { BlobStore } from './blob-store.js'

/** What the examination of an archive found; it rejects with `BadInput` or `TooLarge` for one that is refused. */
export interface ArchiveFacts {
  readonly compression: Compression
  readonly entries: number
  /** Of the uncompressed tar. */
  readonly bytes: number
}

/** Of each stream on the way: as much as comes at once. */
const BUFFER_BYTES = 64 * 1024

export type ScanArchive = (body: Readable, signal: AbortSignal) => Promise<ArchiveFacts>

export interface ExpectedContent {
  readonly sha256?: string | undefined
  readonly sha1?: string | undefined
  readonly length?: number | undefined
  /** A smaller limit than the ingest's own. */
  readonly maxBytes?: number | undefined
}

export interface ReceivedResource {
  readonly resource: Resource
  readonly entries: number
}

/**
 * The one way in for a tarball, whoever sends it: examined while it is written, in a single pass.
 *
 * INVARIANTS
 * - The store sees the end of the body only once the archive was accepted: what is refused was never visible, so there
 *   is nothing to take back.
 * - The first to fail decides what the caller is told. Scan, write and body have all ended when `receive` rejects.
 */
export class ResourceIngest {
  readonly #blobs: BlobStore
  readonly #scan: ScanArchive
  readonly #maxBytes: number

  /** @param maxBytes limit of one resource; without it, only the limit that each caller gives */
  constructor(blobs: BlobStore, scan: ScanArchive, maxBytes = Infinity) {
    this.#blobs = blobs
    this.#scan = scan
    this.#maxBytes = maxBytes
  }

  /** Throws what the scan and `BlobStore.write` throw. `body` is destroyed if it was not read to its end. */
  async receive(
    body: Readable,
    { maxBytes = Infinity, ...expected }: ExpectedContent,
    signal: AbortSignal,
  ): Promise<ReceivedResource> {
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    const toScan = new PassThrough({ highWaterMark: BUFFER_BYTES })
    // They may fail before anybody reads them; whoever does is told all the same.
    for (const stream of [body, toScan]) stream.on('error', () => undefined)
    const scan = this.#scan(toScan, either)
    scan.then(
      () => toScan.resume(),
      (error: unknown) => stop.abort(error),
    )
    // Its errors are those of whoever reads it.
    const accepted = pipeline(body, shownTo(toScan, scan), () => undefined)

    try {
      const { sha256, sha1, length } = await this.#blobs.write(accepted, {
        expected,
        maxBytes: Math.min(this.#maxBytes, maxBytes),
        signal: either,
      })
      const { compression, entries } = await scan
      return { entries, resource: { uuid: randomUUID(), sha256, sha1, length, compression, removals: [] } }
    } catch (error) {
      stop.abort(error)
      body.destroy()
      toScan.destroy(error instanceof Error ? error : undefined)
      await scan.catch(() => undefined)
      signal.throwIfAborted()
      throw stop.signal.reason
    }
  }
}

/** What passes through is shown to `scanner` too, at the pace of the slower reader; it ends once `scan` has resolved. */
function shownTo(scanner: PassThrough, scan: Promise<unknown>): Transform {
  return new Transform({
    highWaterMark: BUFFER_BYTES,
    transform(chunk: Buffer, _encoding, done) {
      const next = (): void => {
        scanner.off('drain', next).off('close', next)
        done(null, chunk)
      }
      if (scanner.destroyed || scanner.write(chunk)) done(null, chunk)
      else scanner.once('drain', next).once('close', next)
    },
    flush(done) {
      scanner.end()
      scan.then(() => done(), done)
    },
  })
}
