import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { SnapshotRequest } from '../../isolation/isolation.js'
import type { MetadataChange } from '../packages/metadata-change.js'
import type { PackageMetadata } from '../packages/metadata.js'
import type { Verdict } from '../model/staging.js'

/**
 * The coordinator's port to the staging service, for one launch: the working copy of the package, and the verdict. The
 * coordinator knows HTTP and the order of requests; the handler knows what a request means.
 *
 * LIFECYCLE
 * - A handler belongs to one launch. The staging service makes it and passes it to `Coordinator.open`. The coordinator
 *   uses it until the listener is closed and starts no call afterwards. The handler needs no closing.
 * - `replaceData`, `alter`, `snapshot` and `verdict` change the working copy, and `needsRelaunch` judges it. The
 *   coordinator calls them one at a time, in the order in which their requests arrived, so the handler needs no lock.
 *   `openData` and `metadata` may be called at any time, also during one of these calls, and then return the working copy
 *   as it was before it.
 * - Changes are atomic: when a call rejects, the working copy is unchanged.
 * - Once `verdict` has resolved, the coordinator calls no further method but `refused`. It answers a repeated verdict by itself.
 *
 * ERRORS
 * - `Conflict` (`launch-over`) from any method when the launch has ended meanwhile, by a timeout for instance: 452.
 * - `BadInput` (`bad-environment-value`) from `alter`, as `applyChange` throws it: 445.
 * - Any other `BadInput`, `TooLarge`, `Refused`, `NotFound` and other `Conflict`s: 499 with the message. The author of
 *   the stager reads it: one sentence, without host paths.
 * - `Unavailable` and everything else: 499 with the code only. The coordinator logs the error, once.
 */
export interface LaunchHandler {
  /** UUID of the launch, as in STAGER_URL. */
  readonly launch: string

  /**
   * The package's data as a gzip'd tar. The coordinator owns the stream: it reads or destroys it.
   * `length` is in bytes, and undefined when the resource is recompressed while it is read. `trustedFile` holds the
   * same bytes and may be sent without verification; it belongs to the stream.
   */
  openData(signal: AbortSignal): Promise<PackageData>

  /**
   * Replace the data by `body`, which the coordinator destroys with an error when the client sends less than it
   * announced, or too slowly. The handler reads it to its end, and rejects data that is not `expected`. Resolves when
   * the data is durable.
   */
  replaceData(body: Readable, expected: ExpectedUpload, signal: AbortSignal): Promise<void>

  metadata(): PackageMetadata

  alter(change: MetadataChange): Promise<void>

  /** Replace the data by what the stager changed in its filesystem. The handler checks the paths of the request. */
  snapshot(request: SnapshotRequest, signal: AbortSignal): Promise<void>

  /**
   * Whether a relaunch would give the stager anything else than it has. Where it would not, the stager may go on as if it
   * had been relaunched.
   */
  needsRelaunch(): Promise<boolean>

  /**
   * Resolves when the verdict is durable: then the stager gets its `OK`.
   *
   * @param reproducible false if the stager has depended on something that it was not given
   */
  verdict(verdict: Verdict, reproducible: boolean): Promise<void>

  /**
   * Takes note of a request that was refused. May be called at any time, even after the verdict.
   *
   * @param line why, for the author of the stager; without control characters
   */
  refused(line: string): void
}

export interface PackageData {
  readonly stream: Readable
  readonly length: number | undefined
  readonly trustedFile: FileHandle | undefined
}

/** What the client announces of its upload: at least one digest, in lower-case hexadecimal, and the length in bytes. */
export interface ExpectedUpload {
  readonly sha256?: string
  readonly sha1?: string
  readonly length: number
}
