import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Fault } from '../../../base/errors.js'
import { isSha256 } from '../../../base/identifiers.js'
import { removeScrap } from '../../../base/remove-scrap.js'
import { BlobDigest } from '../blob-digest.js'
import { blobCorrupt, blobNotFound } from '../blob-errors.js'
import type { Blob, BlobStore, BlobWriteOptions, OpenBlob, Verdict, VerifyOptions, WrittenBlob } from '../blob-store.js'
import { copyAndHash } from '../blob-writer.js'
import type { KnownContentOptions } from '../known-content.js'
import { storageError } from '../storage-errors.js'
import { allObjects, BLOBS, modifiedAt, objectKey } from './blob-objects.js'
import { BlobTimes } from './blob-times.js'
import type { Bucket } from './bucket.js'
import { KnownObjects } from './known-objects.js'
import { readObject } from './read-object.js'
import { verified } from './verified.js'

/** What an interrupted write has left is removed when it is so old, in milliseconds. */
const STALE_MS = 24 * 60 * 60 * 1000

/** Servers round the times of objects to this, up or down. In milliseconds. */
const CLOCK_STEP_MS = 1_000

/**
 * Blobs as objects of a bucket, which any number of nodes share (blob-objects.ts).
 *
 * INVARIANTS
 * - An object becomes visible under the name of its blob only when all of it was received and is as expected: content of
 *   which the digest is not announced is kept in a file until then.
 * - A write is acknowledged when the server has acknowledged the object and the time: every node can read it then.
 * - What a write that was interrupted has left is no blob, and is removed (`removeStale`).
 *
 * How writing, touching and deleting exclude each other between nodes: blob-times.ts.
 */
export class S3BlobStore implements BlobStore {
  readonly #bucket: Bucket
  readonly #spool: string
  readonly #known: KnownObjects
  readonly #times: BlobTimes

  private constructor(bucket: Bucket, spool: string, known: KnownContentOptions) {
    this.#bucket = bucket
    this.#spool = spool
    this.#known = new KnownObjects(known)
    this.#times = new BlobTimes(bucket)
  }

  /** @param spool a directory of this process alone; what an earlier one has left in it is removed */
  static async open(bucket: Bucket, spool: string, known: KnownContentOptions = {}): Promise<S3BlobStore> {
    await mkdir(spool, { recursive: true, mode: 0o700 })
    for (const leftover of await readdir(spool)) await removeScrap(join(spool, leftover))
    return new S3BlobStore(bucket, spool, known)
  }

  async write(body: Readable, options: BlobWriteOptions = {}): Promise<WrittenBlob> {
    // Without a listener, a body that fails before it is iterated would end the process.
    body.on('error', () => undefined)
    const { sha256, length } = options.expected ?? {}
    const digest = sha256?.toLowerCase() ?? ''
    try {
      if (options.instead || length === undefined || !isSha256(digest)) return await this.#writeSpooled(body, options)
      return await this.#writeAnnounced(body, digest, length, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw storageError(error, 'store the data')
    } finally {
      body.destroy()
    }
  }

  async #writeSpooled(body: Readable, options: BlobWriteOptions): Promise<WrittenBlob> {
    const { signal, maxBytes } = options
    const path = join(this.#spool, randomUUID())
    const readers: Readable[] = []
    const content = () => {
      const reader = createReadStream(path).on('error', () => undefined)
      readers.push(reader)
      return reader
    }
    try {
      const file = await open(path, 'wx', 0o600)
      const blob = await copyAndHash(body, file, options).finally(() => file.close())
      const instead = await options.instead?.(content)
      const more = { ...(signal ? { signal } : {}), ...(maxBytes === undefined ? {} : { maxBytes }) }
      if (instead) return await this.write(instead, { ...more, wantSha1: blob.sha1 !== undefined })
      return { ...(await this.write(content(), { ...more, expected: blob })), sha1: blob.sha1 }
    } finally {
      for (const reader of readers) reader.destroy()
      await removeScrap(path)
    }
  }

  async #writeAnnounced(
    body: Readable,
    sha256: string,
    length: number,
    options: BlobWriteOptions,
  ): Promise<WrittenBlob> {
    const { signal } = options
    const digest = new BlobDigest(options)
    const destroyBody = () => body.destroy(signal?.reason instanceof Error ? signal.reason : undefined)
    signal?.throwIfAborted()
    signal?.addEventListener('abort', destroyBody, { once: true })
    try {
      const before = await this.#times.announce(sha256)
      let blob: Blob | undefined
      const content = hashed(body, digest, (whole) => (blob = whole))
      await this.#bucket.upload(objectKey(sha256), content, length)
      const written = await this.#times.written(sha256)
      if (!blob || !written)
        throw this.#bucket.error(new Error('the object was deleted while it was written'), 'keep the data')
      this.#known.written(sha256, written.object.etag)
      return { ...blob, modifiedAt: written.modifiedAt, replaced: before ?? written.before }
    } finally {
      signal?.removeEventListener('abort', destroyBody)
    }
  }

  async open(sha256: string): Promise<OpenBlob> {
    const opened = await this.#open(sha256)
    if (!opened) throw blobNotFound(sha256)
    if (!this.#known.isDamaged(sha256, opened.etag)) return { ...opened, trustedFile: undefined }
    opened.stream.destroy()
    throw blobCorrupt(sha256, 'was found to be different from what was stored')
  }

  async verify(sha256: string, { pace, signal }: VerifyOptions = {}): Promise<Verdict | undefined> {
    const opened = await this.#open(sha256)
    if (!opened) return undefined
    try {
      for await (const chunk of opened.stream as AsyncIterable<Buffer>) {
        signal?.throwIfAborted()
        await pace?.(chunk.length)
      }
      signal?.throwIfAborted()
      this.#known.soundAgain(sha256, opened.etag)
      return 'sound'
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'blob-corrupt') throw error
      return 'damaged'
    } finally {
      opened.stream.destroy()
    }
  }

  async #open(sha256: string): Promise<{ length: number; etag: string; stream: Readable } | undefined> {
    if (!isSha256(sha256)) return undefined
    const key = objectKey(sha256)
    const got = await this.#bucket.get(key)
    if (!got) return undefined
    const { length, etag, body } = got
    const content = verified(readObject(this.#bucket, key, got), sha256, length, (verdict) =>
      this.#known[verdict](sha256, etag),
    )
    const stream = Readable.from(content, { objectMode: false })
    // A generator that was never asked for anything does not clean up.
    stream.once('close', () => body.destroy())
    return { length, etag, stream }
  }

  async has(sha256: string): Promise<boolean> {
    return isSha256(sha256) && (await this.#bucket.has(objectKey(sha256)))
  }

  async touch(sha256: string): Promise<{ readonly length: number } | undefined> {
    if (!isSha256(sha256)) return undefined
    const touched = await this.#times.renew(sha256, (etag) => !this.#known.isDamaged(sha256, etag))
    return touched && { length: touched.object.length }
  }

  /** How long ago this node has begun to write or touch it last, in milliseconds. Infinity if that is not known. */
  renewedAgo(sha256: string): number {
    return this.#times.renewedAgo(sha256)
  }

  async now(): Promise<Date> {
    const key = `clock/${randomUUID()}`
    await this.#bucket.create(key)
    try {
      for await (const { lastModified } of this.#bucket.list(key))
        return new Date(lastModified.getTime() - CLOCK_STEP_MS)
      throw this.#bucket.error(new Error('it does not list what it has just stored'), 'tell its time')
    } finally {
      await this.#bucket.remove(key)
    }
  }

  async delete(sha256: string): Promise<void> {
    await this.deleteIf(sha256, () => true)
  }

  async deleteIf(sha256: string, unwanted: (modifiedAt: Date, storedAt: Date) => boolean): Promise<boolean> {
    if (!isSha256(sha256)) return false
    const deleted = await this.#times.deleteIf(sha256, unwanted)
    if (deleted) this.#known.deleted(sha256)
    return deleted
  }

  async *list(): AsyncGenerator<{ sha256: string; length: number; modifiedAt: Date }> {
    for await (const blob of allObjects(this.#bucket))
      if (blob.object)
        yield {
          sha256: blob.sha256,
          length: blob.object.length,
          modifiedAt: modifiedAt(blob) ?? blob.object.lastModified,
        }
  }

  /** Removes what writes and deletions have left that were interrupted longer ago; each node may do that at any time. */
  async removeStale(olderThanMs = STALE_MS): Promise<void> {
    const began = new Date(Date.now() - olderThanMs)
    await this.#bucket.abortUploads(BLOBS, began)
    for await (const { object, modified, deleting } of allObjects(this.#bucket)) {
      for (const { key, lastModified } of deleting) if (lastModified < began) await this.#bucket.remove(key)
      if (!object) for (const { key, at } of modified) if (at < began) await this.#bucket.remove(key)
    }
    for await (const { key, lastModified } of this.#bucket.list('clock/'))
      if (lastModified < began) await this.#bucket.remove(key)
  }
}

/** @param onWhole called after the last chunk, when the content is as expected */
async function* hashed(
  body: AsyncIterable<Buffer | string>,
  digest: BlobDigest,
  onWhole: (blob: Blob) => void,
): AsyncGenerator<Buffer> {
  for await (const given of body) {
    const chunk = typeof given === 'string' ? Buffer.from(given) : given
    digest.count(chunk.length)
    digest.update(chunk)
    yield chunk
  }
  onWhole(digest.end())
}
