import { randomUUID } from 'node:crypto'
import { PassThrough, type Readable } from 'node:stream'
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
}

export interface ReceivedResource {
  readonly resource: Resource
  readonly entries: number
}

/**
 * The one way in for a tarball, whoever sends it: examined while it is written, in a single pass.
 *
 * INVARIANT: a resource is returned only when its blob is durable *and* the archive was accepted. A refused archive may
 * leave an unreferenced blob behind when its bytes were complete before the refusal; nothing refers to it, and it is
 * deleted at once unless it was there before.
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

  async receive(body: Readable, expected: ExpectedContent, signal: AbortSignal): Promise<ReceivedResource> {
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    const toStore = new PassThrough({ highWaterMark: 1024 * 1024 })
    const toScan = new PassThrough({ highWaterMark: 1024 * 1024 })
    const known = expected.sha256 !== undefined && (await this.#blobs.has(expected.sha256))

    const write = this.#blobs.write(toStore, { expected, maxBytes: this.#maxBytes, signal: either })
    const scan = this.#scan(toScan, either)
    const copy = this.#copy(body, toStore, toScan, either)

    const parts = [scan, write, copy] as const
    // The first to fail decides what the caller is told; the others are ended, and their echoes of it ignored.
    for (const part of parts) part.catch((error: unknown) => stop.abort(error))
    const [scanned, written] = await Promise.allSettled(parts)
    if (stop.signal.aborted || signal.aborted) {
      toStore.destroy()
      toScan.destroy()
      if (written.status === 'fulfilled' && scanned.status === 'rejected' && !known)
        await this.#blobs.delete(written.value.sha256)
      signal.throwIfAborted()
      throw stop.signal.reason
    }
    if (scanned.status === 'rejected') throw scanned.reason
    if (written.status === 'rejected') throw written.reason
    const { sha256, sha1, length } = written.value
    return {
      entries: scanned.value.entries,
      resource: { uuid: randomUUID(), sha256, sha1, length, compression: scanned.value.compression, removals: [] },
    }
  }

  /** The body is never destroyed: it may be a request that is still to be answered. */
  async #copy(body: Readable, toStore: PassThrough, toScan: PassThrough, signal: AbortSignal): Promise<void> {
    try {
      for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        await Promise.all([give(toStore, chunk, signal), give(toScan, chunk, signal)])
      }
      toStore.end()
      toScan.end()
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error))
      toStore.destroy(reason)
      toScan.destroy(reason)
      throw reason
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
