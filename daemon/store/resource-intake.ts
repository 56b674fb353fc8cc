import { randomUUID } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import type { Compression, Resource } from '../packages/package.js'
import type { BlobStore } from './blob-store.js'

/** What the examination of an archive found; it rejects with `BadInput` or `TooLarge` for one that is refused. */
export interface ArchiveFacts {
  readonly compression: Compression
  readonly entries: number
  /** Of the uncompressed tar. */
  readonly bytes: number
}

export type ScanArchive = (body: Readable, signal: AbortSignal) => Promise<ArchiveFacts>

export interface ExpectedContent {
  readonly sha256?: string | undefined
  readonly sha1?: string | undefined
  readonly length?: number | undefined
  /** A smaller limit than the intake's own. */
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
export class ResourceIntake {
  readonly #blobs: BlobStore
  readonly #scan: ScanArchive
  readonly #maxBytes: number

  /** @param maxBytes the largest resource that is taken in */
  constructor(blobs: BlobStore, scan: ScanArchive, maxBytes: number) {
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
    const toScan = new PassThrough({ highWaterMark: 256 * 1024 })
    // It may fail before its reading begins; whoever reads it is told all the same.
    for (const stream of [body, toScan]) stream.on('error', () => undefined)
    const scan = this.#scan(toScan, either)
    scan.then(
      () => toScan.resume(),
      (error: unknown) => stop.abort(error),
    )

    async function* accepted(): AsyncGenerator<Buffer> {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        await give(toScan, chunk, either)
        yield chunk
      }
      toScan.end()
      await scan
    }

    try {
      const { sha256, sha1, length } = await this.#blobs.write(Readable.from(accepted(), { objectMode: false }), {
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

/** Write with backpressure; gives up when the other side is gone. */
async function give(stream: PassThrough, chunk: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (stream.write(chunk) || stream.destroyed) return
  await new Promise<void>((resolve, reject) => {
    const done = () => {
      stream.off('drain', done)
      stream.off('close', done)
      signal.removeEventListener('abort', aborted)
      resolve()
    }
    const aborted = () => {
      done()
      reject(signal.reason as Error)
    }
    stream.once('drain', done)
    stream.once('close', done)
    signal.addEventListener('abort', aborted)
  })
}
