import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { StagerdError } from '../../base/errors.js'
import { Conflict, TooLarge } from '../../base/errors.js'
import { parseFqn } from '../../base/fqn.js'
import type { Holder, Leases } from '../../base/leases.js'
import type { Compression } from '../../isolation/compression.js'
import type { LeftOut, RunningContainer, SnapshotRequest } from '../../isolation/isolation.js'
import type { ExpectedUpload, LaunchHandler, PackageData } from '../coordinator/launch-handler.js'
import { applyChange, type MetadataChange } from '../packages/metadata-change.js'
import type { PackageMetadata } from '../packages/metadata.js'
import { openVerified } from '../store/open-verified.js'
import type { BlobStore } from '../store/blob-store.js'
import { overQuota, type PackageQuota } from '../store/package-quota.js'
import type { ResourceIngest } from '../store/resource-ingest.js'
import type { Staging, Verdict, WorkingCopy } from '../model/staging.js'

export interface WorkingCopyParts {
  readonly blobs: BlobStore
  readonly ingest: ResourceIngest
  /** Converts any accepted compression to gzip, which stagers can unpack. */
  readonly toGzip: (body: Readable, compression: Compression) => Promise<Readable>
  /** The quota of the package's namespace. */
  readonly quota: PackageQuota
  readonly liveBlobs: Leases
}

/** What the handler needs of its launch. */
export interface OwningLaunch {
  readonly uuid: string
  /** Has the blobs that the launch has written. Releases when the launch ends. */
  readonly holder: Holder
  /** Throws `Conflict` (`launch-over`), with the reason, when it has a verdict or something has ended it. */
  assertOpen(): void
  /** Resolves when the start of the container has been recorded. A stager can send requests before that. */
  running(): Promise<Pick<RunningContainer, 'snapshot'>>
  /** Records the verdict durably; rejects with `Conflict` (`launch-over`) if another cause was first. */
  settle(verdict: Verdict, work: WorkingCopy): Promise<void>
  /** Writes a line to the log of the staging. */
  log(text: string): Promise<void>
}

/**
 * Handles the requests of a stager for the working copy of its launch, and its verdict.
 *
 * The changes of a stager are kept in memory until the verdict: a launch that is lost is run again from the start, so
 * they need not be durable. Only blobs are written to disk. No row refers to them before the verdict, so the launch
 * holds them as live until it ends.
 */
export class WorkingCopyHandler implements LaunchHandler {
  readonly #owner: OwningLaunch
  readonly #parts: WorkingCopyParts
  /** The namespace of the package, whose quota applies. */
  readonly #namespace: string
  #work: WorkingCopy
  readonly #ownVariables: Set<string>
  #closed = false

  constructor(
    owner: OwningLaunch,
    { packageFqn, work }: Pick<Staging, 'packageFqn' | 'work'>,
    parts: WorkingCopyParts,
  ) {
    this.#owner = owner
    this.#parts = parts
    this.#namespace = parseFqn(packageFqn, 'package', '/').namespace
    this.#work = work
    this.#ownVariables = new Set(work.ownVariables)
  }

  get launch(): string {
    return this.#owner.uuid
  }

  /** All requests after this are rejected. */
  close(): void {
    this.#closed = true
  }

  /** Damage of the data is found before a byte of it is sent: a stager could take half of it for the whole. */
  async openData(signal: AbortSignal): Promise<PackageData> {
    this.#assertOpen()
    const { sha256, compression } = this.#work.resource
    const blob = await openVerified(this.#parts.blobs, sha256, signal)
    if (compression === 'gzip') return blob
    try {
      return { stream: await this.#parts.toGzip(blob.stream, compression), length: undefined, trustedFile: undefined }
    } catch (error) {
      blob.stream.destroy()
      throw error
    }
  }

  async replaceData(body: Readable, expected: ExpectedUpload, signal: AbortSignal): Promise<void> {
    this.#assertOpen()
    const { ingest, quota } = this.#parts
    await quota.assert(this.#namespace, expected.length)
    const maxBytes = await quota.of(this.#namespace)
    const { resource } = await this.#withinQuota(
      () => ingest.receive(body, { ...expected, maxBytes }, signal),
      maxBytes,
    )
    this.#parts.liveBlobs.hold(resource.sha256, this.#owner.holder)
    this.#assertOpen()
    this.#work = { ...this.#work, resource }
  }

  metadata(): PackageMetadata {
    this.#assertOpen()
    return this.#metadata()
  }

  #metadata(): PackageMetadata {
    const { dependencies, provides, environment, templates } = this.#work
    return { dependencies, provides, environment, templates }
  }

  alter(change: MetadataChange): Promise<void> {
    this.#assertOpen()
    this.#work = { ...this.#work, ...applyChange(this.#metadata(), change) }
    if (change.resource === 'environment') {
      if (change.action === 'add') this.#ownVariables.add(change.key)
      else this.#ownVariables.delete(change.key)
    }
    return Promise.resolve()
  }

  async snapshot(request: SnapshotRequest, signal: AbortSignal): Promise<void> {
    this.#assertOpen()
    const running = await this.#owner.running()
    const maxBytes = await this.#parts.quota.of(this.#namespace)
    const { written, removals, leftOut } = await this.#withinQuota(
      () => running.snapshot(request, (archive) => this.#parts.blobs.write(archive, { signal, maxBytes })),
      maxBytes,
    )
    this.#parts.liveBlobs.hold(written.sha256, this.#owner.holder)
    this.#assertOpen()
    // Logged before the change, because writing the log can fail.
    if (leftOut.sockets + leftOut.special > 0) await this.#owner.log(describeLeftOut(leftOut))
    this.#assertOpen()
    const resource = { uuid: randomUUID(), ...written, compression: 'gzip' as const, removals }
    this.#work = { ...this.#work, resource }
  }

  async verdict(verdict: Verdict, reproducible: boolean): Promise<void> {
    this.#assertOpen()
    if (!reproducible) this.#work = { ...this.#work, unrepeatable: true }
    // The next stager must not take them for its own.
    const ownVariables = verdict === 'relaunch' ? [...this.#ownVariables].sort() : []
    this.#work = { ...this.#work, ownVariables: ownVariables.length > 0 ? ownVariables : undefined }
    await this.#owner.settle(verdict, this.#work)
  }

  refused(line: string): void {
    // After this the log may be closed.
    if (this.#closed) return
    // A log that cannot be written fails the staging with its next line.
    void this.#owner.log(line).catch(() => undefined)
  }

  async #withinQuota<T>(write: () => Promise<T>, quota: number): Promise<T> {
    try {
      return await write()
    } catch (error) {
      throw error instanceof TooLarge && error.code === 'blob-too-large' ? overQuota(this.#namespace, quota) : error
    }
  }

  #assertOpen(): void {
    this.#owner.assertOpen()
    if (this.#closed) throw launchEnded()
  }
}

function describeLeftOut({ sockets, special }: LeftOut): string {
  const counts = [
    ...(sockets > 0 ? [`${sockets} ${sockets === 1 ? 'socket' : 'sockets'}`] : []),
    ...(special > 0 ? [`${special} ${special === 1 ? 'named pipe or device' : 'named pipes or devices'}`] : []),
  ]
  return `The snapshot leaves out ${counts.join(' and ')}: a package cannot contain them.`
}

/** @param why the end of a sentence */
export function launchEnded(why = 'another verdict or cause came first'): StagerdError {
  return new Conflict('launch-over', `This launch has ended: ${why}.`)
}
