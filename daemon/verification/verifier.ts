import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { messageOf, Unavailable } from '../../base/errors.js'
import type { LayerVerification } from '../../isolation/layer-verification.js'
import type { BlobStore } from '../store/blob-store.js'
import type { VerifiedKind } from '../store/verification-repository.js'
import { Budget } from './budget.js'
import type { Verifications } from './verifications.js'

export interface VerifierParts {
  readonly blobs: Pick<BlobStore, 'list' | 'verify'>
  readonly layers: LayerVerification
  readonly verifications: Verifications
  /** Releases the layers of containers that wait for a launch. */
  readonly clearPrepared: () => Promise<void>
  /** Whether stagings run: what is not overdue waits then. */
  readonly isBusy: () => boolean
  readonly logger: Pick<Logger, 'warn'>
  /** Everything is verified once in this time, in milliseconds. 0: nothing is verified in the background. */
  readonly periodMs: number
  readonly bytesPerSecond: number
  /** How long to wait after the start before anything is read, in milliseconds. Default: one minute, and not longer than the period. */
  readonly firstMs?: number
  /** How often it looks whether stagings still run, in milliseconds. Default: one second. */
  readonly busyPollMs?: number
}

export interface VerificationSummary {
  readonly objects: number
  readonly bytes: number
  /** Bytes that were not verified within the period. */
  readonly dueBytes: number
  /** When that was verified which was not verified for the longest time; undefined if nothing ever was. */
  readonly oldest: Date | undefined
}

interface Item {
  readonly kind: VerifiedKind
  readonly id: string
  /** When it was last verified, in milliseconds since 1970. */
  readonly at: number
  /** A reader was given what is cached of it. */
  readonly isGivenOut?: boolean
}

/** How long what is there is known after it was listed, in milliseconds; not longer than the period. */
const LIST_HOLDS_MS = 60 * 60_000
const FIRST_MS = 60_000
const DAY_MS = 24 * 60 * 60_000

/**
 * Verifies blobs and layers in the background, those first that were not verified for the longest time, within a budget of
 * bytes a second.
 *
 * - What a reader was given without a look at it comes first of all, also while stagings run: one of them has it.
 * - Everything else waits while stagings run, until it is overdue by a whole period: a node that is always busy verifies too.
 * - What is damaged is looked at again every hour: it may have been repaired, and a layer be in use no longer.
 */
export class Verifier {
  readonly #parts: VerifierParts
  readonly #stop = new AbortController()
  readonly #began = Date.now()
  readonly #soon = new Set<string>()
  readonly #verifiedBytes = { blob: 0, layer: 0 }
  readonly #budget: Budget
  /** The bytes of what is there, by id. */
  #found: Readonly<Record<VerifiedKind, Map<string, number>>> = { blob: new Map(), layer: new Map() }
  #wake: () => void = () => undefined
  #running: Promise<void> = Promise.resolve()

  constructor(parts: VerifierParts) {
    this.#parts = parts
    this.#budget = new Budget(parts.bytesPerSecond)
    parts.verifications.onDeleted = (kind, id) => this.#found[kind].delete(id)
    parts.verifications.onGivenOut = (sha256) => {
      if (parts.periodMs === 0) return
      this.#soon.add(sha256)
      this.#wake()
    }
  }

  start(): void {
    if (this.#parts.periodMs > 0) this.#running = this.#run()
  }

  /** Resolves when nothing is read any more, and what is known is recorded. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#wake()
    await this.#running
    await this.#parts.verifications.record()
  }

  get periodMs(): number {
    return this.#parts.periodMs
  }

  /** Bytes that were read since the start. */
  verifiedBytes(kind: VerifiedKind): number {
    return this.#verifiedBytes[kind]
  }

  /** Of what was there when it was last listed, within the last hour. */
  summary(kind: VerifiedKind): VerificationSummary {
    let [bytes, dueBytes, oldest] = [0, 0, Infinity]
    for (const [id, length] of this.#found[kind]) {
      const at = this.#parts.verifications.get(kind, id)?.at.getTime()
      bytes += length
      if (at === undefined || this.#isDue(at)) dueBytes += length
      if (at !== undefined) oldest = Math.min(oldest, at)
    }
    const objects = this.#found[kind].size
    return { objects, bytes, dueBytes, oldest: oldest === Infinity ? undefined : new Date(oldest) }
  }

  /** For `node status`. */
  status() {
    const { verifications, periodMs } = this.#parts
    const [blob, layer] = [this.summary('blob'), this.summary('layer')]
    const times = [blob.oldest, layer.oldest].filter((one) => one !== undefined)
    const oldest = times.length === 0 ? undefined : new Date(Math.min(...times.map((one) => one.getTime())))
    return {
      period_seconds: periodMs / 1000,
      bytes: blob.bytes + layer.bytes,
      due_bytes: blob.dueBytes + layer.dueBytes,
      ...(oldest ? { oldest_at: oldest.toISOString() } : {}),
      damaged_blobs: verifications.damaged('blob').length,
      damaged_layers: verifications.damaged('layer').length,
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    const { logger, periodMs, firstMs = Math.min(FIRST_MS, periodMs) } = this.#parts
    let due: Item[] = []
    let listAt = performance.now()
    const beginAt = listAt + firstMs
    while (!signal.aborted) {
      try {
        await this.#verifyGivenOut()
        if (performance.now() >= listAt) {
          listAt = performance.now() + Math.min(LIST_HOLDS_MS, periodMs)
          await this.#list()
          due = this.#due()
        }
        const hasBegun = performance.now() >= beginAt
        const next = hasBegun ? due.shift() : undefined
        if (next && this.#isStillDue(next)) await this.#verify(next, () => this.#mayGoOn(next) || this.#soon.size > 0)
        else if (!next && this.#soon.size === 0)
          await this.#sleep((hasBegun ? listAt : Math.min(listAt, beginAt)) - performance.now())
      } catch (error) {
        if (!this.#stop.signal.aborted)
          logger.warn({ err: error }, 'stored data cannot be listed to verify it; that is tried again in an hour')
      }
    }
  }

  async #verifyGivenOut(): Promise<void> {
    for (const id of this.#soon) {
      this.#soon.delete(id)
      if (this.#stop.signal.aborted) return
      await this.#verify({ kind: 'blob', id, at: 0, isGivenOut: true }, () => true)
    }
  }

  /** What cannot be read for another reason than damage is left for the next time. */
  async #verify({ kind, id, isGivenOut = false }: Item, mayGoOn: () => boolean): Promise<void> {
    const { blobs, verifications, logger, busyPollMs = 1_000 } = this.#parts
    const { signal } = this.#stop
    const pace = async (bytes: number) => {
      this.#verifiedBytes[kind] += bytes
      await this.#budget.spend(bytes, signal)
      while (!mayGoOn()) await delay(busyPollMs, undefined, { signal, ref: false })
    }
    try {
      await pace(0)
      if (kind === 'layer') await this.#verifyLayer(id, pace)
      else if (!(await blobs.verify(id, { pace, signal, fromDisk: !isGivenOut }))) verifications.deleted(id)
    } catch (error) {
      // Of an Engine that is away, others tell.
      if (signal.aborted || error instanceof Unavailable) return
      logger.warn({ reason: messageOf(error), [kind]: id }, 'stored data could not be verified')
    }
  }

  async #verifyLayer(id: string, pace: (bytes: number) => Promise<void>): Promise<void> {
    const { layers, verifications, clearPrepared } = this.#parts
    const options = { pace, signal: this.#stop.signal }
    let verdict = await layers.verifyLayer(id, options)
    if (verdict === 'damaged') {
      await clearPrepared()
      verdict = await layers.verifyLayer(id, options)
    }
    if (verdict === 'sound') verifications.soundLayer(id)
  }

  async #list(): Promise<void> {
    const { blobs, layers, verifications } = this.#parts
    const blob = new Map<string, number>()
    for await (const { sha256, length } of blobs.list()) blob.set(sha256, length)
    const layer = new Map((await layers.layers()).map(({ id, bytes }) => [id, bytes]))
    this.#found = { blob, layer }
    // A blob may have been written since it was listed: that it was sound then may be forgotten.
    for (const kind of ['blob', 'layer'] as const) verifications.keepOnly(kind, this.#found[kind])
  }

  /** What is due, the longest unverified first. */
  #due(): Item[] {
    const items = (['blob', 'layer'] as const).flatMap((kind) =>
      [...this.#found[kind].keys()].map((id) => ({ kind, id, at: this.#verifiedAt(kind, id) })),
    )
    return items.filter(({ at }) => this.#isDue(at)).sort((a, b) => a.at - b.at)
  }

  /** In milliseconds since 1970. 0 for what is damaged, and for what never was verified. */
  #verifiedAt(kind: VerifiedKind, id: string): number {
    const known = this.#parts.verifications.get(kind, id)
    return known === undefined || known.damaged !== undefined ? 0 : known.at.getTime()
  }

  /** A reader may have read it to its end since it was found to be due. */
  #isStillDue({ kind, id }: Item): boolean {
    return this.#found[kind].has(id) && this.#isDue(this.#verifiedAt(kind, id))
  }

  /** A time in the future is one of a clock that was ahead. */
  #isDue(at: number): boolean {
    const age = Date.now() - at
    return age >= this.#parts.periodMs || age < -DAY_MS
  }

  #mayGoOn({ at }: Item): boolean {
    return !this.#parts.isBusy() || Date.now() - Math.max(at, this.#began) > 2 * this.#parts.periodMs
  }

  /** Until something is given out, or the stop, at most. */
  async #sleep(milliseconds: number): Promise<void> {
    if (this.#stop.signal.aborted) return
    const awake = new AbortController()
    this.#wake = () => awake.abort()
    await delay(Math.max(0, milliseconds), undefined, { signal: awake.signal, ref: false }).catch(() => undefined)
    this.#wake = () => undefined
  }
}
