import type { Logger } from 'pino'
import { Unavailable } from '../../base/errors.js'
import type { Keeper, Leases } from '../../base/leases.js'
import type { BlobStore } from './blob-store.js'

export interface SharedHoldsParts {
  readonly blobs: Pick<BlobStore, 'touch'> & {
    /** How long ago this node has begun to write or touch a blob last, in milliseconds. Infinity if that is not known. */
    renewedAgo(sha256: string): number
  }
  readonly live: Pick<Leases, 'snapshot'>
  /** How long after its last renewal no node deletes a blob, in milliseconds. */
  readonly graceMs: number
  readonly logger: Pick<Logger, 'warn'>
}

/** Blobs that are renewed at once. */
const AT_ONCE = 4
/** The longest time that a timer takes, in milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Keeps the blobs that this node holds from the other nodes of a store, by their age: no node deletes what was renewed within
 * the grace period, and this renews what is held when a third of it is over.
 *
 * INVARIANTS
 * - The time of a blob that is held is at most half a grace period old, as long as the store answers.
 * - What is referred to was confirmed: its time is younger than two thirds of the grace period then. If the store has not
 *   answered for that long, the reference is refused.
 * - What this node has written or renewed just now costs no request.
 *
 * What was found by a reference is renewed when it is held, but nobody waits for that: another node that removes the
 * reference and collects garbage in that moment takes it from its reader, which fails with `blob-not-found`.
 */
export class SharedHolds implements Keeper {
  readonly #renewing = new Map<string, Promise<boolean>>()
  #timer: NodeJS.Timeout | undefined

  constructor(private readonly parts: SharedHoldsParts) {}

  /** Idempotent. Nothing is renewed any more after `stop`. */
  start(): void {
    const everyMs = Math.min(LONGEST_TIMER_MS, Math.max(100, this.parts.graceMs / 6))
    this.#timer ??= setInterval(() => void this.renewHeld(), everyMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  held(sha256: string): void {
    void this.#renewIfOld(sha256)
  }

  /** Throws `Unavailable` (`data-gone`, and those of the store). */
  async confirm(sha256: string): Promise<void> {
    const { blobs, graceMs } = this.parts
    if (blobs.renewedAgo(sha256) < (graceMs * 2) / 3) return
    if (await this.#renew(sha256)) return
    throw new Unavailable(
      'data-gone',
      `The object store has lost the data ${sha256} before anything referred to them, because this node could not reach it for longer than upload-grace: send them again.`,
    )
  }

  /** Renews what is held and was not renewed for a third of the grace period. Never rejects. */
  async renewHeld(): Promise<void> {
    const held = this.parts.live.snapshot().values()
    const one = async () => {
      for (const sha256 of held) await this.#renewIfOld(sha256)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, one))
  }

  /** Never rejects: who needs it learns that by `confirm`. */
  async #renewIfOld(sha256: string): Promise<void> {
    const { blobs, graceMs, logger } = this.parts
    if (blobs.renewedAgo(sha256) < graceMs / 3) return
    try {
      await this.#renew(sha256)
    } catch (error) {
      logger.warn({ err: error, sha256 }, 'the time of data in use could not be renewed in the object store')
    }
  }

  /** False if there is no such blob. */
  async #renew(sha256: string): Promise<boolean> {
    const renewing =
      this.#renewing.get(sha256) ??
      this.parts.blobs
        .touch(sha256)
        .then((touched) => touched !== undefined)
        .finally(() => this.#renewing.delete(sha256))
    this.#renewing.set(sha256, renewing)
    return await renewing
  }
}
