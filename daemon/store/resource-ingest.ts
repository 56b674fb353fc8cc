import { randomUUID } from 'node:crypto'
import { PassThrough, pipeline, type Readable, Transform } from 'node:stream'
import type { Compression } from '../../isolation/compression.js'
import type { Resource } from '../packages/package.js'
import type { BlobStore, WrittenBlob } from './blob-store.js'
import { resourceNotFound } from './not-found.js'

/** The result of a scan. */
export interface ArchiveFacts {
  readonly compression: Compression
  readonly entries: number
  /** Of the uncompressed tar. */
  readonly bytes: number
  /** Whether all names are in the form that stagers get. */
  readonly canonical: boolean
}

/** The buffer of each stream: as much as arrives at once. */
const BUFFER_BYTES = 64 * 1024

/** Rejects with `BadInput` or `TooLarge` for an archive that is refused. */
export type ScanArchive = (body: Readable, signal: AbortSignal) => Promise<ArchiveFacts>

/** What the ingest needs of those who know archives. */
export interface ArchiveReader {
  readonly scan: ScanArchive
  /** By the first bytes, which stay in `body`. */
  readonly detectCompression: (body: Readable) => Promise<Compression>
  /** The same archive with canonical names, as gzip. */
  readonly canonicalise: (body: Readable, compression: Compression, signal: AbortSignal) => Promise<Readable>
}

/** Of the bytes that are received, also where an archive with canonical names is stored in their place. */
export interface ExpectedContent {
  readonly sha256?: string | undefined
  readonly sha1?: string | undefined
  readonly length?: number | undefined
  /** In addition to the limit of the ingest. */
  readonly maxBytes?: number | undefined
}

export interface ReceivedResource {
  readonly resource: Resource
  readonly entries: number
  readonly blob: WrittenBlob
}

/**
 * Receives every tarball, from any source. The archive is scanned while it is written, in a single pass.
 *
 * INVARIANTS
 * - The store gets the end of the body only after the scan has accepted the archive, so a refused archive is never visible
 *   as a blob.
 * - `receive` rejects with the error that came first. Scan, write and body have ended by then.
 * - The names of a stored archive are canonical. One that arrives with others, such as `./app/x`, is rewritten once; that
 *   costs nothing for all others.
 */
export class ResourceIngest {
  readonly #blobs: BlobStore
  readonly #archives: ArchiveReader
  readonly #maxBytes: number

  /** @param maxBytes limit of one resource; without it, only the limit that each caller gives */
  constructor(blobs: BlobStore, archives: ArchiveReader, maxBytes = Infinity) {
    this.#blobs = blobs
    this.#archives = archives
    this.#maxBytes = maxBytes
  }

  /** Throws what the scan and `BlobStore.write` throw. `body` is destroyed unless it has been read to its end. */
  async receive(
    body: Readable,
    { maxBytes = Infinity, ...expected }: ExpectedContent,
    signal: AbortSignal,
  ): Promise<ReceivedResource> {
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    const toScan = new PassThrough({ highWaterMark: BUFFER_BYTES })
    // Without a listener, a stream that fails before it is read would end the process. Its reader still gets the error.
    for (const stream of [body, toScan]) stream.on('error', () => undefined)
    const scan = this.#archives.scan(toScan, either)
    scan.then(
      () => toScan.resume(),
      (error: unknown) => stop.abort(error),
    )
    // Errors reach the reader of `accepted`, so the callback ignores them.
    const accepted = pipeline(body, copiedTo(toScan, scan), () => undefined)

    try {
      const blob = await this.#blobs.write(accepted, {
        expected,
        maxBytes: Math.min(this.#maxBytes, maxBytes),
        signal: either,
        instead: async (received) => {
          const { canonical, compression } = await scan
          return canonical ? undefined : await this.#archives.canonicalise(received(), compression, either)
        },
      })
      return receivedResource(await scan, blob)
    } catch (error) {
      stop.abort(error)
      body.destroy()
      toScan.destroy(error instanceof Error ? error : undefined)
      await scan.catch(() => undefined)
      signal.throwIfAborted()
      throw stop.signal.reason
    }
  }

  /**
   * The same for an archive that is put together from parts that were scanned before. Only if `facts`, which is called
   * after the end of `body`, does not know what they are together, the whole is scanned.
   */
  async receiveAssembled(
    body: Readable,
    facts: () => ArchiveFacts | undefined,
    { maxBytes = Infinity, ...expected }: ExpectedContent,
    signal: AbortSignal,
  ): Promise<ReceivedResource> {
    let found: ArchiveFacts | undefined
    const blob = await this.#blobs.write(body, {
      expected,
      maxBytes: Math.min(this.#maxBytes, maxBytes),
      signal,
      instead: async (received) => {
        found = facts() ?? (await this.#archives.scan(received(), signal))
        return found.canonical ? undefined : await this.#archives.canonicalise(received(), found.compression, signal)
      },
    })
    if (!found) throw new Error('the store has not asked for the archive')
    return receivedResource(found, blob)
  }

  /**
   * A resource of a blob that is stored already. Its upload was scanned, so only its compression is detected. The blob is
   * touched, so that the garbage collector keeps it until a package refers to it.
   *
   * Throws `NotFound` (`resource-not-found`).
   */
  async reuse(sha256: string): Promise<Resource> {
    const digest = sha256.toLowerCase()
    if (!(await this.#blobs.touch(digest))) throw resourceNotFound(sha256)
    const { stream, length } = await this.#blobs.open(digest)
    try {
      const compression = await this.#archives.detectCompression(stream)
      return { uuid: randomUUID(), sha256: digest, sha1: undefined, length, compression, removals: [] }
    } finally {
      stream.destroy()
    }
  }
}

function receivedResource({ canonical, compression, entries }: ArchiveFacts, blob: WrittenBlob): ReceivedResource {
  const stored = canonical ? compression : 'gzip'
  const { sha256, sha1, length } = blob
  return { entries, blob, resource: { uuid: randomUUID(), sha256, sha1, length, compression: stored, removals: [] } }
}

/** Passes chunks through, and copies them to `scanner` with its backpressure. Ends when `scan` has resolved. */
function copiedTo(scanner: PassThrough, scan: Promise<unknown>): Transform {
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
