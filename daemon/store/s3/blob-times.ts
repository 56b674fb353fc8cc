import { setTimeout as sleep } from 'node:timers/promises'
import { KeyedMutex } from '../../../base/keyed-mutex.js'
import { laterThan } from '../blob-times.js'
import { Elapsed } from '../../../base/elapsed.js'
import {
  modifiedAt,
  modifiedKey,
  newDeletingKey,
  objectKey,
  objectsOf,
  storedAt,
  type BlobObjects,
} from './blob-objects.js'
import type { Bucket, StoredObject } from './bucket.js'

/** Who deletes gives up after this time, and who waits for it takes it for dead after a longer one. In milliseconds. */
const DELETE_MS = 20_000
const DEAD_MS = 60_000
const POLL_MS = 50
/** Of so many blobs it is known when this process has renewed them. Each takes some 200 bytes. */
const RENEWALS_KNOWN = 20_000

export interface Renewed {
  readonly object: StoredObject
  readonly modifiedAt: Date
  /** The latest time of somebody else. */
  readonly before: Date | undefined
}

/**
 * The times of blobs, and their deletion.
 *
 * Within this process, what is done here to one blob is done one after the other. Between nodes there is no lock: who renews
 * a time writes it, and then looks for a deletion; who deletes announces it, and then looks at the times. Whichever is
 * second sees the other, because a listing shows what was acknowledged before it. So a blob whose time was renewed is not
 * deleted by who has judged an earlier time, and a renewal that meets a deletion waits for its end and then looks whether
 * the blob is there.
 *
 * What this does not cover, between nodes:
 * - A node that stands still for 40 s between its last look at the clock and its request to delete, or a request that is
 *   that long on its way: another node takes the deletion for dead, and it may happen after that.
 * - A server that does not write conditionally: two nodes that renew within one millisecond get the same time, and a
 *   deletion that is meant for the upload of one deletes that of the other.
 * - A server whose listings do not show at once what it has acknowledged.
 */
export class BlobTimes {
  readonly #mutex = new KeyedMutex()
  /** When this process has last renewed a blob. */
  readonly #renewed = new Map<string, Elapsed>()

  readonly #deadMs: number
  readonly #pollMs: number

  /**
   * @param deadMs after which time a deletion is taken for dead
   * @param pollMs how long who waits for one waits before it looks again
   */
  constructor(
    private readonly bucket: Pick<Bucket, 'list' | 'create' | 'remove'>,
    { deadMs = DEAD_MS, pollMs = POLL_MS }: { readonly deadMs?: number; readonly pollMs?: number } = {},
  ) {
    this.#deadMs = deadMs
    this.#pollMs = pollMs
  }

  /**
   * To be called before a blob is uploaded: what deletes the same content that is there already has ended then, and the next
   * one sees a new time. Returns the time that was there before.
   */
  async announce(sha256: string): Promise<Date | undefined> {
    return await this.#mutex.run(sha256, async () => {
      const found = await objectsOf(this.bucket, sha256)
      if (!found.object && found.deleting.length === 0) return undefined
      const before = modifiedAt(found)
      await this.#renew(sha256, found, before)
      return found.object && before
    })
  }

  /**
   * Sets the time of a blob to now, or to later than before. Undefined if it is not there, or `mayBeUsed` says no.
   *
   * @param mayBeUsed is told the ETag of its object
   */
  async renew(sha256: string, mayBeUsed: (etag: string) => boolean): Promise<Renewed | undefined> {
    return await this.#mutex.run(sha256, async () => {
      const found = await objectsOf(this.bucket, sha256)
      if (!found.object || !mayBeUsed(found.object.etag)) return undefined
      return await this.#renew(sha256, found, modifiedAt(found))
    })
  }

  /** The same for a blob that was uploaded just now: the time of its object says nothing about what was there before. */
  async written(sha256: string): Promise<Renewed | undefined> {
    return await this.#mutex.run(sha256, async () => {
      const found = await objectsOf(this.bucket, sha256)
      return await this.#renew(sha256, found, found.modified.at(-1)?.at)
    })
  }

  /** How long ago this process has begun to renew its time last, in milliseconds. Infinity if that is not known. */
  renewedAgo(sha256: string): number {
    return this.#renewed.get(sha256)?.ms ?? Infinity
  }

  #remember(sha256: string, began: Elapsed): void {
    this.#renewed.delete(sha256)
    this.#renewed.set(sha256, began)
    for (const oldest of this.#renewed.keys()) {
      if (this.#renewed.size <= RENEWALS_KNOWN) return
      this.#renewed.delete(oldest)
    }
  }

  async #renew(sha256: string, found: BlobObjects, before: Date | undefined): Promise<Renewed | undefined> {
    const began = new Elapsed()
    const time = await this.#writeTime(sha256, before)
    const now = await this.#afterDeletions(sha256)
    const own = modifiedKey(sha256, time)
    if (!now.object) {
      await this.bucket.remove(own)
      return undefined
    }
    this.#remember(sha256, began)
    // Those that were there before this one: who has written one since must find it.
    await this.#removeAll(found.modified.map(({ key }) => key))
    const others = now.modified.filter(({ key }) => key !== own)
    return { object: now.object, modifiedAt: time, before: others.at(-1)?.at }
  }

  async #writeTime(sha256: string, before: Date | undefined): Promise<Date> {
    let time = laterThan(before)
    while (!(await this.bucket.create(modifiedKey(sha256, time)))) time = laterThan(time)
    return time
  }

  /** Waits until nobody is about to delete the blob. */
  async #afterDeletions(sha256: string): Promise<BlobObjects> {
    const began = performance.now()
    for (;;) {
      const found = await objectsOf(this.bucket, sha256)
      if (found.deleting.length === 0) return found
      if (performance.now() - began > this.#deadMs) {
        await this.#removeAll(found.deleting.map(({ key }) => key))
        return found
      }
      await sleep(this.#pollMs)
    }
  }

  /** @param unwanted see `BlobStore.deleteIf`; may be called twice */
  async deleteIf(sha256: string, unwanted: (modifiedAt: Date, storedAt: Date) => boolean): Promise<boolean> {
    return await this.#mutex.run(sha256, async () => {
      const isUnwanted = (blob: BlobObjects) => {
        const time = modifiedAt(blob)
        return blob.object !== undefined && time !== undefined && unwanted(time, storedAt(blob))
      }
      if (!isUnwanted(await objectsOf(this.bucket, sha256))) return false
      const deadline = performance.now() + DELETE_MS
      const deleting = newDeletingKey(sha256)
      await this.bucket.create(deleting)
      let found
      try {
        found = await objectsOf(this.bucket, sha256)
      } catch (error) {
        await this.#removeAll([deleting])
        throw error
      }
      const left = deadline - performance.now()
      if (!isUnwanted(found) || left <= 0) {
        await this.#removeAll([deleting])
        return false
      }
      // If this fails, nobody knows whether it happens yet: `deleting` stays, and is taken for dead after a while.
      this.#renewed.delete(sha256)
      await this.bucket.remove(objectKey(sha256), AbortSignal.timeout(Math.ceil(left)))
      await this.#removeAll(found.modified.map(({ key }) => key))
      await this.#removeAll([deleting])
      return true
    })
  }

  /** What stays does no harm: it is removed with the next time, or by `removeStale`. */
  async #removeAll(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.bucket.remove(key).catch(() => undefined)))
  }
}
