import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { SnapshotRequest } from '../../isolation/isolation.js'
import type { MetadataChange } from '../packages/metadata-change.js'
import type { PackageMetadata } from '../packages/metadata.js'
import type { Verdict } from '../model/staging.js'

/**
 * What the coordinator needs of the staging service for one launch: the working copy of the package, and a place for the
 * verdict. The coordinator knows HTTP and its order; the handler knows what a request means.
 *
 * LIFECYCLE
 * - A handler belongs to one launch. The staging service makes it and passes it to `Coordinator.open`; the coordinator uses
 *   it until the listener is closed and begins no call afterwards. There is nothing to close.
 * - `replaceData`, `alter`, `snapshot` and `verdict` change the working copy. The coordinator calls them one at a time,
 *   in the order in which their requests arrived; the handler need not lock. `openData` and `metadata` may be called at
 *   any time, also while one of those is at work, and show the working copy as it was before it.
 * - A change is whole or it did not happen: when a call rejects, the working copy is what it was.
 * - Once `verdict` has resolved the coordinator lets nothing through any more, apart from a repetition of the same
 *   verdict, which it answers by itself.
 *
 * ERRORS
 * - `Conflict` (`launch-over`) from any method when the launch has ended in the meantime, by a timeout say: 452.
 * - `BadInput` (`bad-environment-value`) from `alter`, as `applyChange` throws it: 445.
 * - Any other `BadInput`, `TooLarge`, `Refused`, `NotFound` and other `Conflict`s: 499 with the message, which the stager's
 *   author reads: one sentence, without paths of the host.
 * - `Unavailable` and everything else: 499 with the code alone; the rest goes to the log, once, here.
 */
export interface LaunchHandler {
  /** UUID of the launch, as STAGER_URL has it. */
  readonly launch: string

  /**
   * The package's data as a gzip'd tar. The coordinator owns the stream: it reads or destroys it.
   * `length` in bytes; undefined when the resource is recompressed on its way. `trustedFile` as the blob store has it: the
   * same bytes as a file that may be sent unseen, and that belongs to the stream.
   */
  openData(): Promise<PackageData>

  /**
   * Replace the data by `body`, which the coordinator destroys with an error when the client sends less than it
   * announced, or too slowly. The handler reads it to its end, and refuses what is not `expected`. Resolves when durable.
   */
  replaceData(body: Readable, expected: ExpectedUpload, signal: AbortSignal): Promise<void>

  metadata(): PackageMetadata

  alter(change: MetadataChange): Promise<void>

  /** Replace the data by what the stager changed in its filesystem. The handler checks the paths of the request. */
  snapshot(request: SnapshotRequest, signal: AbortSignal): Promise<void>

  /** Resolves when the verdict is durable: then the stager is told OK. */
  verdict(verdict: Verdict): Promise<void>
}

export interface PackageData {
  readonly stream: Readable
  readonly length: number | undefined
  readonly trustedFile: FileHandle | undefined
}

/** What the client says of its upload: at least one digest, in lower-case hexadecimal, and the length in bytes. */
export interface ExpectedUpload {
  readonly sha256?: string
  readonly sha1?: string
  readonly length: number
}
