import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  type ListMultipartUploadsCommandOutput,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import { rootCertificates } from 'node:tls'
import { settleAll } from '../../../base/settle-all.js'
import { bucketError, statusOf } from './bucket-errors.js'
import { inParts, partBytesFor } from './parts.js'

export interface BucketOptions {
  /** An http or https URL; undefined for AWS. */
  readonly endpoint: string | undefined
  readonly region: string
  readonly bucket: string
  /** Of all names in the bucket: empty, or ends with a slash. */
  readonly prefix: string
  /** Undefined: as the library finds them, for instance those of the role of the host. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
  /** Certificates that are trusted beside those of Node.js, in PEM. */
  readonly authorities?: string | undefined
  /** How often a request is sent at most, with growing pauses between. Default: 8, some six seconds altogether. */
  readonly attempts?: number
}

export interface StoredObject {
  readonly key: string
  readonly length: number
  /** Differs for different contents, and can differ for equal ones. */
  readonly etag: string
  /** By the clock of the server, in whole seconds on most. */
  readonly lastModified: Date
}

const CONNECT_MS = 5_000
/** A connection on which nothing moves for so long is given up. */
const IDLE_MS = 30_000
/** Parts of one upload that are sent at once: each is held in memory. */
const PARTS_AT_ONCE = 3

/**
 * One bucket of an S3-compatible server, and the only module that knows the library. Keys are relative to the prefix.
 *
 * Requests are repeated when the server does not answer, or says that it cannot now. Errors are `Unavailable`
 * (`object-store-unavailable`, `object-store-refused`). Each body is signed with its SHA-256, so that the server refuses what
 * was changed on the way.
 */
export class Bucket {
  readonly #options: BucketOptions
  readonly #client: S3Client
  readonly #bucket: string
  readonly #prefix: string
  /** For messages. */
  readonly #where: string
  #writesConditionally = false

  private constructor(options: BucketOptions, client?: S3Client) {
    const { endpoint, region, bucket, prefix, credentials, authorities, attempts = 8 } = options
    const config: S3ClientConfig = {
      region,
      // The names of buckets in host names need a DNS that few servers of one's own have.
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
      ...(credentials === undefined ? {} : { credentials }),
      maxAttempts: attempts,
      // Other servers than that of AWS do not know these checksums.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: CONNECT_MS,
        socketTimeout: IDLE_MS,
        // An agent with authorities trusts no others.
        ...(authorities === undefined
          ? {}
          : { httpsAgent: { ca: [...rootCertificates, authorities], keepAlive: true } }),
      },
    }
    this.#options = options
    this.#client = client ?? new S3Client(config)
    this.#bucket = bucket
    this.#prefix = prefix
    this.#where = `the bucket ${bucket}${endpoint === undefined ? '' : ` of ${endpoint}`}`
  }

  /** Finds out whether the server writes conditionally, which also shows that it can be written at all. */
  static async open(options: BucketOptions): Promise<Bucket> {
    const bucket = new Bucket(options)
    const probe = `probe/${randomUUID()}`
    try {
      await bucket.put(probe, Buffer.alloc(0))
      bucket.#writesConditionally = await bucket.#refusesToReplace(probe)
      await bucket.remove(probe)
      return bucket
    } catch (error) {
      bucket.close()
      throw error
    }
  }

  /** The objects below another prefix of the same bucket. It has the connections of this one, and is closed with it. */
  at(prefix: string): Bucket {
    const bucket = new Bucket({ ...this.#options, prefix }, this.#client)
    bucket.#writesConditionally = this.#writesConditionally
    return bucket
  }

  /** Whether `create` is decided by the server, and so among all nodes. */
  get writesConditionally(): boolean {
    return this.#writesConditionally
  }

  /** There are servers that do not know the condition and ignore it, and others that answer so. */
  async #refusesToReplace(key: string): Promise<boolean> {
    try {
      await this.#client.send(new PutObjectCommand({ ...this.#of(key), Body: Buffer.alloc(0), IfNoneMatch: '*' }))
      return false
    } catch (error) {
      const status = statusOf(error)
      if (status === 412) return true
      if (status === 400 || status === 501) return false
      throw bucketError(error, this.#where, 'write')
    }
  }

  async put(key: string, content: Buffer): Promise<void> {
    await this.#do('write', () => this.#client.send(new PutObjectCommand({ ...this.#of(key), Body: content })))
  }

  /**
   * Writes an empty object. False if there is one of that name already; a server that does not write conditionally replaces
   * it.
   */
  async create(key: string): Promise<boolean> {
    const condition = this.#writesConditionally ? { IfNoneMatch: '*' } : {}
    try {
      await this.#client.send(new PutObjectCommand({ ...this.#of(key), Body: Buffer.alloc(0), ...condition }))
      return true
    } catch (error) {
      // 409: somebody else is creating it.
      if (statusOf(error) === 412 || statusOf(error) === 409) return false
      throw bucketError(error, this.#where, 'write')
    }
  }

  /**
   * Writes an object in parts, or at once if it is one part long. It becomes visible when all of it is written: not if
   * `content` throws. What was written until then is removed, or left to `abortUploads`.
   *
   * @param length about how long it is
   */
  async upload(key: string, content: AsyncIterable<Buffer>, length: number): Promise<void> {
    const parts = inParts(content, partBytesFor(length))
    try {
      const first = await parts.next()
      const begun = [first, first.done === true ? first : await parts.next()]
      const next = async () => begun.shift() ?? (await parts.next())
      if (begun[1]?.done === true) await this.put(key, first.value ?? Buffer.alloc(0))
      else await this.#uploadParts(key, next)
    } finally {
      await parts.return(undefined)
    }
  }

  async #uploadParts(key: string, next: () => Promise<IteratorResult<Buffer, unknown>>): Promise<void> {
    const of = this.#of(key)
    const { UploadId } = await this.#do('begin an upload', () =>
      this.#client.send(new CreateMultipartUploadCommand(of)),
    )
    const sent: { PartNumber: number; ETag: string | undefined }[] = []
    let taken = 0
    let failed = false
    const sendParts = async () => {
      while (!failed) {
        const PartNumber = ++taken
        const part = await next()
        if (part.done === true) return
        const { ETag } = await this.#do('store a part', () =>
          this.#client.send(new UploadPartCommand({ ...of, UploadId, PartNumber, Body: part.value })),
        )
        sent.push({ PartNumber, ETag })
      }
    }
    const sendOrStop = () =>
      sendParts().catch((error: unknown) => {
        failed = true
        throw error
      })
    try {
      await settleAll(Array.from({ length: PARTS_AT_ONCE }, sendOrStop))
      const Parts = sent.sort((a, b) => a.PartNumber - b.PartNumber)
      const complete = { ...of, UploadId, MultipartUpload: { Parts } }
      await this.#do('complete an upload', () => this.#client.send(new CompleteMultipartUploadCommand(complete)))
    } catch (error) {
      await this.#client.send(new AbortMultipartUploadCommand({ ...of, UploadId })).catch(() => undefined)
      throw error
    }
  }

  /** Undefined if there is no such object. The body must be consumed or destroyed, and fails if the connection does. */
  async get(key: string, from = 0): Promise<{ length: number; etag: string; body: Readable } | undefined> {
    const range = from > 0 ? { Range: `bytes=${from}-` } : {}
    const found = await this.#find('read', () =>
      this.#client.send(new GetObjectCommand({ ...this.#of(key), ...range })),
    )
    if (!found) return undefined
    const body = found.Body as Readable
    // It can fail before anybody reads it.
    body.on('error', () => undefined)
    if (from > 0 && found.ContentRange === undefined) {
      body.destroy()
      throw this.error(new Error('it sends the beginning again'), 'read on')
    }
    return { length: found.ContentLength ?? 0, etag: found.ETag ?? '', body }
  }

  async has(key: string): Promise<boolean> {
    return (await this.#find('look', () => this.#client.send(new HeadObjectCommand(this.#of(key))))) !== undefined
  }

  /** It is no error if there is no such object. */
  async remove(key: string, signal?: AbortSignal): Promise<void> {
    const options = signal ? { abortSignal: signal } : {}
    await this.#find('delete', () => this.#client.send(new DeleteObjectCommand(this.#of(key)), options))
  }

  /** In the order of their names. */
  async *list(prefix: string): AsyncGenerator<StoredObject> {
    let ContinuationToken: string | undefined
    do {
      const request = { Bucket: this.#bucket, Prefix: this.#prefix + prefix, ContinuationToken }
      const page = await this.#do('list', () => this.#client.send(new ListObjectsV2Command(request)))
      for (const { Key = '', Size = 0, ETag = '', LastModified = new Date(0) } of page.Contents ?? [])
        yield { key: Key.slice(this.#prefix.length), length: Size, etag: ETag, lastModified: LastModified }
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken !== undefined)
  }

  /** Removes what uploads of such names have left that began before that time; returns how many there were. */
  async abortUploads(prefix: string, began: Date): Promise<number> {
    let aborted = 0
    let at: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {}
    while (at) {
      const request = { Bucket: this.#bucket, Prefix: this.#prefix + prefix, ...at }
      const page: ListMultipartUploadsCommandOutput = await this.#do('list uploads', () =>
        this.#client.send(new ListMultipartUploadsCommand(request)),
      )
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (!Initiated || Initiated >= began) continue
        const upload = { Bucket: this.#bucket, Key, UploadId }
        await this.#find('remove an upload', () => this.#client.send(new AbortMultipartUploadCommand(upload)))
        aborted += 1
      }
      at =
        page.IsTruncated === true
          ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
          : undefined
    }
    return aborted
  }

  close(): void {
    this.#client.destroy()
  }

  /** `bucketError` of an error of this bucket. */
  error(error: unknown, doing: string): unknown {
    return bucketError(error, this.#where, doing)
  }

  /** For people: the name of an object in the bucket. */
  nameOf(key: string): string {
    return this.#prefix + key
  }

  #of(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key }
  }

  async #do<T>(doing: string, request: () => Promise<T>): Promise<T> {
    try {
      return await request()
    } catch (error) {
      throw bucketError(error, this.#where, doing)
    }
  }

  /** Undefined for what is not there. That there is no such bucket is an error, where the server tells the two apart. */
  async #find<T>(doing: string, request: () => Promise<T>): Promise<T | undefined> {
    try {
      return await request()
    } catch (error) {
      if (statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket') return undefined
      throw bucketError(error, this.#where, doing)
    }
  }
}
