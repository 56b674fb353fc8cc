import { Conflict, Unavailable } from '../../base/errors.js'
import type { Leases } from '../../base/leases.js'
import { cautiousNow } from '../../base/steady-clock.js'
import type { Cached, Isolation } from '../../isolation/isolation.js'
import type { PreparedLaunches } from '../staging/prepared-launches.js'
import type { LogStore } from '../log/log-store.js'
import type { BlobStore } from '../store/blob-store.js'
import { OwnDuties, type Duties } from '../store/duties.js'
import { storageError } from '../store/storage-errors.js'
import type { ReferenceRepository } from '../store/reference-repository.js'
import { chooseGarbage, type Garbage } from './choose.js'

export interface CollectorParts {
  readonly references: ReferenceRepository
  readonly blobs: Pick<BlobStore, 'list' | 'deleteIf' | 'now'>
  /**
   * Digests of blobs that work in progress writes, though no row may name them yet, or reads, though the row may be gone.
   * A writer releases them only when a committed row names them, or when they are discarded.
   */
  readonly live: Leases
  readonly isolation: Pick<Isolation, 'caches' | 'discard'>
  /** What waits for a launch holds layers and images, which are no more needed than others. */
  readonly prepared: Pick<PreparedLaunches, 'clear'>
  readonly logs: Pick<LogStore, 'list' | 'isTaken' | 'delete'>
  /** How long an upload may exist before a package refers to it, in milliseconds. */
  readonly graceMs: number
  /** Default: those of a node alone. */
  readonly duties?: Duties | undefined
}

export interface CollectionRequest {
  readonly dryRun: boolean
  readonly olderThanMs: number
  readonly keepBytes: number | undefined
}

/**
 * Collects garbage while the daemon keeps working.
 *
 * INVARIANTS
 * - A blob that a row refers to, or is about to refer to, is never deleted. A writer of a reference holds the blob as
 *   live, or has written or touched it within the grace period. Hence the order: note the live blobs, list the stored
 *   blobs, then read the references. A holder that releases a blob in between was noted before. Age and liveness are
 *   checked again under the blob's lock, right before the deletion.
 * - What another node holds is not known here: its holder keeps it young (`shared-holds.ts`). So the age of a blob is the
 *   one at the beginning of the collection, before the references were read. It must be over by two clocks: by that of the
 *   store, on which all nodes agree, and by the clocks of the nodes, in case that of the store is set forward.
 * - Blobs of the results that packages keep are never deleted. Their layers are garbage like any other.
 * - Layers, images and what stagers keep can be rebuilt. Their caches know their users, and may refuse to discard them.
 * - The row of a staging is deleted before its log. A log without a staging is garbage, so a crash in between leaves
 *   nothing behind.
 * - One collection runs at a time, on one of the nodes that share a database.
 */
export class Collector {
  readonly #parts: CollectorParts
  readonly #duties: Duties

  constructor(parts: CollectorParts) {
    this.#parts = parts
    this.#duties = parts.duties ?? new OwnDuties()
  }

  /**
   * What was removed, or with `dryRun` would be. Throws `Conflict` (`collected-elsewhere`) while another node collects;
   * `Unavailable`: `engine-down` and `node-without-term` before anything is removed, `duty-lost` when this node has lost its lease
   * meanwhile, `disk-error` when the disk did not let go of something, and all else is removed.
   */
  async collect(request: CollectionRequest): Promise<readonly Garbage[]> {
    const done = await this.#duties.run('collect garbage', (signal) => this.#collect(request, signal))
    if (done) return done.result
    throw new Conflict(
      'collected-elsewhere',
      'Another node is collecting garbage: try again when it is done, also for the layers and caches of this node.',
    )
  }

  async #collect(
    { dryRun, olderThanMs, keepBytes }: CollectionRequest,
    signal: AbortSignal,
  ): Promise<readonly Garbage[]> {
    const { graceMs, live, prepared } = this.#parts
    await prepared.clear()
    const began: Began = { here: new Date(cautiousNow()), inStore: await this.#parts.blobs.now() }
    const liveBefore = live.snapshot()
    const { garbage, cached } = await this.#garbage(liveBefore)
    const chosen = chooseGarbage(garbage, { olderThanMs, keepBytes, graceMs }, began.here)
    if (dryRun) return chosen
    const forgotten = new Set(await this.#forgetStagings(chosen))
    const removed: Garbage[] = []
    let failure: Unavailable | undefined
    for (const one of chosen)
      try {
        signal.throwIfAborted()
        if (await this.#remove(one, cached, forgotten, began)) removed.push(one)
      } catch (error) {
        const told = storageError(error, `remove the ${one.kind} ${one.id}`)
        // What is not the disk, such as the Engine, would say the same of the next one.
        if (told === error || !(told instanceof Unavailable)) throw error
        failure ??= told
      }
    // A file that cannot be removed keeps no other from it.
    if (failure) throw failure
    return removed
  }

  async #garbage(liveBefore: ReadonlySet<string>) {
    const { blobs, isolation, references, logs } = this.#parts
    const garbage: Garbage[] = []
    const stored: Garbage[] = []
    for await (const { sha256, length, modifiedAt } of blobs.list())
      if (!liveBefore.has(sha256)) stored.push({ kind: 'blob', id: sha256, bytes: length, usedAt: modifiedAt })
    const referenced = await references.resources()
    const caches = await isolation.caches(referenced)
    // Layers of earlier results can be built again; only their blobs are kept.
    const digests = new Set([...referenced.map(({ sha256 }) => sha256), ...(await references.history())])
    garbage.push(...stored.filter(({ id }) => !digests.has(id)))

    const cached = new Map<Garbage, Cached>()
    for (const one of caches) {
      if (one.inUse) continue
      const { kind, id, bytes, usedAt } = one
      const found = { kind, id, bytes, usedAt }
      cached.set(found, one)
      garbage.push(found)
    }

    const lengths = new Map<string, Garbage>()
    for (const { staging, length, modifiedAt } of await logs.list())
      lengths.set(staging, { kind: 'log', id: staging, bytes: length, usedAt: modifiedAt })
    // After the logs: a staging gets its row before its log, so a log listed above has a row unless it is garbage.
    for (const { uuid, endedAt } of await references.stagings()) {
      const log = lengths.get(uuid)
      lengths.delete(uuid)
      if (!endedAt || logs.isTaken(uuid)) continue
      garbage.push({ kind: 'staging', id: uuid, bytes: log?.bytes ?? 0, usedAt: endedAt })
    }
    garbage.push(...lengths.values())
    return { garbage, cached }
  }

  async #forgetStagings(chosen: readonly Garbage[]): Promise<readonly string[]> {
    const ended = chosen.filter(({ kind, id }) => kind === 'staging' && !this.#parts.logs.isTaken(id))
    return ended.length === 0 ? [] : await this.#parts.references.forgetStagings(ended.map(({ id }) => id))
  }

  async #remove(
    one: Garbage,
    cached: ReadonlyMap<Garbage, Cached>,
    forgotten: ReadonlySet<string>,
    began: Began,
  ): Promise<boolean> {
    const { blobs, isolation, live, logs, graceMs } = this.#parts
    switch (one.kind) {
      case 'blob':
        return await blobs.deleteIf(one.id, (modifiedAt, storedAt) => {
          const isOld = isOlder(modifiedAt, began.here, graceMs) && isOlder(storedAt, began.inStore, graceMs)
          return isOld && !live.has(one.id)
        })
      case 'layer':
      case 'image':
      case 'cache': {
        const found = cached.get(one)
        return found !== undefined && (await isolation.discard(found))
      }
      case 'staging':
        if (!forgotten.has(one.id)) return false
        await logs.delete(one.id)
        return true
      case 'log':
        if (logs.isTaken(one.id)) return false
        await logs.delete(one.id)
        return true
    }
  }
}

/** When a collection began, by the clocks of this node and of the store of blobs. */
interface Began {
  readonly here: Date
  readonly inStore: Date
}

function isOlder(time: Date, than: Date, byMs: number): boolean {
  return than.getTime() - time.getTime() >= byMs
}
