import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/**
 * Content-addressed, immutable blobs, named by SHA-256.
 *
 * LIFECYCLE
 * - `write` resolves only when the blob is durable: content, name and directory have been fsynced, and a power cut
 *   cannot take it back. If it rejects, nothing of it remains. Writing what is there already is not an error.
 * - A blob may be read by any number of readers; the stream errors at its end when the content does not match its
 *   name, so a flipped bit is never handed on as a whole. Whoever wants to hand a blob on unseen has `trustedFile`.
 * - `delete` while a reader is at work leaves that reader undisturbed. Deleting what is not there is not an error.
 * - `modifiedAt` is when a blob was last written or touched: whoever is about to refer to an old one touches it first,
 *   and a collection of garbage leaves alone what is younger than a grace. `write`, `touch` and `deleteIf` of one blob
 *   happen one after the other.
 *
 * ERRORS
 * - `BadInput` (`digest-mismatch`, `length-mismatch`) when the content is not what `expected` says.
 * - `TooLarge` (`blob-too-large`) beyond `maxBytes`.
 * - `NotFound` (`blob-not-found`).
 * - `Unavailable` (`disk-full`) on ENOSPC or EDQUOT.
 * - `Fault` (`blob-corrupt`) from a stream whose content is damaged.
 */
export interface BlobStore {
  write(body: Readable, options?: BlobWriteOptions): Promise<Blob>
  open(sha256: string): Promise<OpenBlob>
  has(sha256: string): Promise<boolean>
  delete(sha256: string): Promise<void>
  /** As if it had been written just now. Undefined when it is not there, or is known to be damaged: then write it. */
  touch(sha256: string): Promise<{ readonly length: number } | undefined>
  /** Deletes what is there and `unwanted`, of which `modifiedAt` is as of now; tells whether it did. */
  deleteIf(sha256: string, unwanted: (modifiedAt: Date) => boolean): Promise<boolean>
  /** Every blob, with what a collection of garbage needs to know. */
  list(): AsyncIterable<{ readonly sha256: string; readonly length: number; readonly modifiedAt: Date }>
}

export interface BlobWriteOptions {
  readonly expected?: {
    readonly sha256?: string | undefined
    readonly sha1?: string | undefined
    readonly length?: number | undefined
  }
  /** Compute SHA-1 as well; implied by `expected.sha1`. */
  readonly wantSha1?: boolean
  readonly maxBytes?: number
  readonly signal?: AbortSignal
}

export interface Blob {
  readonly sha256: string
  readonly sha1: string | undefined
  readonly length: number
}

export interface OpenBlob {
  readonly length: number
  /** Not started until it is consumed; must be consumed or destroyed. */
  readonly stream: Readable
  /**
   * The file behind `stream`, where its bytes may go out unseen, as by sendfile(2): it is known to be what its name says.
   * Undefined where that is not known, or where there is no file; reading the stream to its end is what makes it known.
   * It belongs to the stream, which closes it when it is destroyed: use it while the stream is unread, from offset 0.
   */
  readonly trustedFile: FileHandle | undefined
}
