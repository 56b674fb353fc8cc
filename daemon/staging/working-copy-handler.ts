import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { StagerdError } from '../../base/errors.js'
import { BadInput, Conflict, TooLarge } from '../../base/errors.js'
import { parseFqn } from '../../base/fqn.js'
import type { Holder, Leases } from '../../base/leases.js'
import type { Compression } from '../../isolation/compression.js'
import type { LeftOut, RunningContainer, SnapshotRequest } from '../../isolation/isolation.js'
import type { ExpectedUpload, LaunchHandler, PackageData } from '../coordinator/launch-handler.js'
import { applyChange, type MetadataChange } from '../packages/metadata-change.js'
import type { PackageMetadata } from '../packages/metadata.js'
import type { Resource } from '../packages/package.js'
import type { Mask } from '../secrets/mask.js'
import { openVerified } from '../store/open-verified.js'
import type { BlobStore, WrittenBlob } from '../store/blob-store.js'
import { overQuota, type PackageQuota } from '../store/package-quota.js'
import type { ResourceIngest } from '../store/resource-ingest.js'
import {
  NEEDLESS_RELAUNCH_LIMIT,
  type NeedlessRelaunch,
  type Staging,
  type Verdict,
  type WorkingCopy,
} from '../model/staging.js'
import type { StagingUploads } from './staging-uploads.js'

export interface WorkingCopyParts {
  readonly blobs: BlobStore
  readonly ingest: ResourceIngest
  /** Converts any accepted compression to gzip, which stagers can unpack. */
  readonly toGzip: (body: Readable, compression: Compression) => Promise<Readable>
  /** The quota of the package's namespace. */
  readonly quota: PackageQuota
  readonly liveBlobs: Leases
  /** How much data a launch may have in the store. */
  readonly launchBytes: number
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
  /** What a relaunch with `work` would be given; undefined if it is not what the launch has. */
  needlessRelaunch(work: WorkingCopy): Promise<NeedlessRelaunch | undefined>
  /** Records the verdict durably; rejects with `Conflict` (`launch-over`) if another cause was first. */
  settle(verdict: Verdict, work: WorkingCopy): Promise<void>
  /** Has what the stagers of the staging have written. */
  readonly uploads: Pick<StagingUploads, 'add' | 'discard'>
  /** Ends the launch, which has sent more data than it may have in the store. */
  exceedData(limitBytes: number): void
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
  /** Digest of the data that the launch was given, which a row refers to. */
  readonly #given: string
  readonly #ownVariables: Set<string>
  readonly #needlessRelaunches: NeedlessRelaunch[] = []
  #closed = false

  constructor(
    owner: OwningLaunch,
    { packageFqn, work }: Pick<Staging, 'packageFqn' | 'work'>,
    parts: WorkingCopyParts,
    private readonly mask?: Mask,
  ) {
    this.#owner = owner
    this.#parts = parts
    this.#namespace = parseFqn(packageFqn, 'package', '/').namespace
    this.#work = work
    this.#given = work.resource.sha256
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
    await this.#replaceData(async (maxBytes, own) => {
      const { resource, blob } = await ingest.receive(body, { ...expected, maxBytes }, signal)
      own(blob)
      return resource
    })
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
    this.#assertNoSecret(change)
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
    await this.#replaceData(async (maxBytes, own) => {
      const write = async (archive: Readable) => own(await this.#parts.blobs.write(archive, { signal, maxBytes }))
      const { written, removals, leftOut } = await running.snapshot(request, write)
      this.#assertOpen()
      // Logged before the change, because writing the log can fail.
      if (leftOut.sockets + leftOut.special > 0) await this.#owner.log(describeLeftOut(leftOut))
      const { sha256, sha1, length } = written
      return { uuid: randomUUID(), sha256, sha1, length, compression: 'gzip', removals }
    })
  }

  async needsRelaunch(): Promise<boolean> {
    this.#assertOpen()
    if (this.#needlessRelaunches.length >= NEEDLESS_RELAUNCH_LIMIT) return true
    const needless = await this.#owner.needlessRelaunch(this.#left('relaunch'))
    this.#assertOpen()
    if (needless) this.#needlessRelaunches.push(needless)
    return needless === undefined
  }

  async verdict(verdict: Verdict, reproducible: boolean): Promise<void> {
    this.#assertOpen()
    if (!reproducible) this.#work = { ...this.#work, unrepeatable: true }
    this.#work = this.#left(verdict)
    const { sha256 } = this.#work.resource
    if (verdict !== 'failed' && sha256 !== this.#given) await this.#parts.liveBlobs.confirm(sha256)
    await this.#owner.settle(verdict, this.#work)
  }

  /** The working copy after a verdict. */
  #left(verdict: Verdict): WorkingCopy {
    // The next stager must not take them for its own.
    const ownVariables = verdict === 'relaunch' ? [...this.#ownVariables].sort() : []
    const needlessRelaunches = [...this.#needlessRelaunches]
    return {
      ...this.#work,
      ownVariables: ownVariables.length > 0 ? ownVariables : undefined,
      needlessRelaunches: needlessRelaunches.length > 0 ? needlessRelaunches : undefined,
    }
  }

  refused(line: string): void {
    // After this the log may be closed.
    if (this.#closed) return
    // A log that cannot be written fails the staging with its next line.
    void this.#owner.log(line).catch(() => undefined)
  }

  /**
   * What is replaced goes from the store, and so does what is refused.
   *
   * @param make must pass what it has written to `own` at once
   */
  async #replaceData(make: (maxBytes: number, own: (blob: WrittenBlob) => WrittenBlob) => Promise<Resource>) {
    const { uploads, holder } = this.#owner
    let written: WrittenBlob | undefined
    const own = (blob: WrittenBlob) => {
      uploads.add(blob, holder)
      written = blob
      return blob
    }
    try {
      const resource = await this.#withinLimits((maxBytes) => make(maxBytes, own))
      this.#assertOpen()
      const before = this.#work.resource.sha256
      this.#work = { ...this.#work, resource }
      if (before !== resource.sha256) await uploads.discard(before, holder)
    } catch (error) {
      if (written && written.sha256 !== this.#work.resource.sha256) await uploads.discard(written.sha256, holder)
      throw error
    }
  }

  /** The limit of the launch ends it; data over the quota, which others use up too, is only refused. */
  async #withinLimits<T>(write: (maxBytes: number) => Promise<T>): Promise<T> {
    const quota = await this.#parts.quota.of(this.#namespace)
    const { launchBytes } = this.#parts
    try {
      return await write(Math.min(quota, launchBytes))
    } catch (error) {
      if (!(error instanceof TooLarge && error.code === 'blob-too-large')) throw error
      if (quota <= launchBytes) throw overQuota(this.#namespace, quota)
      this.#owner.exceedData(launchBytes)
      this.#owner.assertOpen()
      throw error
    }
  }

  /** What a package has in its metadata, everybody sees who may see the package, and so does its environment. */
  #assertNoSecret(change: MetadataChange): void {
    const texts = Object.values<string | object>(change).flatMap((part) =>
      typeof part === 'string' ? [part] : Object.values<string>(part as Record<string, string>),
    )
    if (!texts.some((text) => this.mask?.hides(text))) return
    throw new BadInput(
      'secret-in-metadata',
      'The change has a secret in it, which would become part of the package: read it from $STAGER_SECRETS where it is needed.',
    )
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
