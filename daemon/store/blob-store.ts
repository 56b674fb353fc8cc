import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/**
 * A content-addressed store of immutable blobs, named by their SHA-256 digest.
 *
 * LIFECYCLE
 * - `write` resolves when the blob is durable: content, name and directory are fsynced. If it rejects, nothing of the
 *   blob remains. Writing a blob that exists is not an error.
 * - Any number of readers can read a blob. A stream fails before its end if the content does not match the name, so that
 *   damaged content never appears complete. `trustedFile` is for readers that do not look at the content.
 * - `delete` does not disturb readers. Deleting a blob that does not exist is not an error.
 * - `modifiedAt` is the time when a blob was last written or touched. A caller touches an existing blob before it refers
 *   to it, because garbage collection keeps every blob that is younger than its grace period. `write`, `touch` and
 *   `deleteIf` of the same blob exclude each other, also between the nodes that share a store: s3/blob-times.ts says how,
 *   and what that does not cover.
 *
 * ERRORS
 * - `BadInput` (`digest-mismatch`, `length-mismatch`): the content is not as `expected`.
 * - `TooLarge` (`blob-too-large`): the content is longer than `maxBytes`.
 * - `NotFound` (`blob-not-found`).
 * - `Unavailable` (`disk-full`, `disk-error`, `object-store-unavailable`, `object-store-refused`).
 * - `Fault` (`blob-corrupt`), from a stream: the content is damaged. From `open`, at once, if this is known already.
 */
export interface BlobStore {
  write(body: Readable, options?: BlobWriteOptions): Promise<WrittenBlob>
  open(sha256: string): Promise<OpenBlob>
  has(sha256: string): Promise<boolean>
  /**
   * Reads the blob to its end, also if it is trusted, or known to be damaged: damage can have been one of a read. Undefined
   * if it does not exist. Throws the reason of the signal, and what says nothing about the content (EMFILE).
   */
  verify(sha256: string, options?: VerifyOptions): Promise<Verdict | undefined>
  delete(sha256: string): Promise<void>
  /** Sets `modifiedAt` to now, or to a later time than before. Undefined if the blob does not exist or is known to be damaged: then it must be written. */
  touch(sha256: string): Promise<{ readonly length: number } | undefined>
  /**
   * Deletes the blob if it exists and `unwanted` returns true for its current times; returns whether it did. `modifiedAt` is by
   * the clock of the node that has written or touched it; `storedAt` is when that happened by the clock of the store.
   */
  deleteIf(sha256: string, unwanted: (modifiedAt: Date, storedAt: Date) => boolean): Promise<boolean>
  /**
   * The clock of the store, to be compared with `storedAt`, on whichever node: what is written after this call is not before
   * it. Up to two seconds early.
   */
  now(): Promise<Date>
  list(): AsyncIterable<{ readonly sha256: string; readonly length: number; readonly modifiedAt: Date }>
}

export type Verdict = 'sound' | 'damaged'

export interface VerifyOptions {
  /** Called after so many bytes were read; it may delay the next ones. */
  readonly pace?: (bytes: number) => Promise<void>
  readonly signal?: AbortSignal
  /** Looks at what the disk has, and not at what the kernel has cached of it, if the host has the means for that. */
  readonly fromDisk?: boolean
}

export interface BlobWriteOptions {
  readonly expected?: {
    readonly sha256?: string | undefined
    readonly sha1?: string | undefined
    readonly length?: number | undefined
  }
  /** Also computes SHA-1; implied by `expected.sha1`. */
  readonly wantSha1?: boolean
  readonly maxBytes?: number
  readonly signal?: AbortSignal
  /**
   * Called with the content when it is complete and as expected, before anything is visible. What it returns is stored
   * in place of the content, within the same limit. The opened content is destroyed when the write ends.
   */
  readonly instead?: (content: () => Readable) => Promise<Readable | undefined>
}

export interface Blob {
  readonly sha256: string
  readonly sha1: string | undefined
  readonly length: number
}

export interface WrittenBlob extends Blob {
  /** Later than that of a blob which it has replaced. */
  readonly modifiedAt: Date
  /** `modifiedAt` of the blob with the same content that was there before. */
  readonly replaced: Date | undefined
}

export interface OpenBlob {
  readonly length: number
  /** Must be consumed or destroyed. */
  readonly stream: Readable
  /**
   * The file of the blob, if its content is known to match its name: then it can be sent without reading it, as
   * sendfile(2) does. Undefined otherwise, and for a store without files. Reading `stream` to its end verifies the file.
   * The stream owns the file and closes it when it is destroyed. Read the file from offset 0, and not after `stream`.
   */
  readonly trustedFile: FileHandle | undefined
}
