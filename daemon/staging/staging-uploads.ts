import type { Logger } from 'pino'
import type { Holder, Leases } from '../../base/leases.js'
import type { BlobStore, WrittenBlob } from '../store/blob-store.js'
import type { ReferenceRepository } from '../store/reference-repository.js'

export interface StagingUploadsParts {
  readonly blobs: Pick<BlobStore, 'deleteIf'>
  readonly references: Pick<ReferenceRepository, 'refersTo'>
  readonly liveBlobs: Leases
  readonly logger: Pick<Logger, 'warn'>
}

/**
 * The data that the stagers of one staging have put into the store: uploads and snapshots. What nothing refers to goes at
 * once, without the grace period of uploads: nobody can ask for it.
 *
 * INVARIANTS
 * - Only what the staging has brought into the store is deleted, and only as long as nobody else has written or touched the
 *   same content: that changes the time of the blob.
 * - A blob that a row refers to, or that somebody holds, stays.
 *
 * After a crash nobody knows whose a blob was: that is left to the collection of garbage.
 */
export class StagingUploads {
  /** The times of blobs, by digest. */
  readonly #written = new Map<string, number>()

  constructor(private readonly parts: StagingUploadsParts) {}

  /** To be called in the same turn in which the write has resolved. */
  add({ sha256, modifiedAt, replaced }: WrittenBlob, holder: Holder): void {
    this.parts.liveBlobs.hold(sha256, holder)
    if (replaced === undefined || this.#written.get(sha256) === replaced.getTime())
      this.#written.set(sha256, modifiedAt.getTime())
  }

  /** Deletes one of them that its holder does not need any more. Never rejects. */
  async discard(sha256: string, holder?: Holder): Promise<void> {
    const time = this.#written.get(sha256)
    if (time === undefined) return
    if (holder) this.parts.liveBlobs.drop(sha256, holder)
    const { blobs, references, liveBlobs, logger } = this.parts
    try {
      if (await references.refersTo(sha256)) return
      const unwanted = (modifiedAt: Date) => modifiedAt.getTime() === time && !liveBlobs.has(sha256)
      if (await blobs.deleteIf(sha256, unwanted)) this.#written.delete(sha256)
    } catch (error) {
      logger.warn({ err: error, sha256 }, 'an upload that was superseded could not be removed; gc removes it')
    }
  }

  /** Deletes all that is not needed. To be called when a launch, or the staging, has ended. Never rejects. */
  async discardAll(): Promise<void> {
    for (const sha256 of [...this.#written.keys()]) await this.discard(sha256)
  }
}
