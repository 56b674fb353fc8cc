import type { Leases } from '../../base/leases.js'
import { Mutex } from '../../base/mutex.js'
import type { Cached, Isolation } from '../../isolation/isolation.js'
import { layerKey } from '../../isolation/layers/layer-key.js'
import type { LogStore } from '../log/log-store.js'
import type { BlobStore } from '../store/blob-store.js'
import type { ReferenceRepository } from '../store/reference-repository.js'
import { chooseGarbage, type Garbage } from './choose.js'

export interface CollectorParts {
  readonly references: ReferenceRepository
  readonly blobs: Pick<BlobStore, 'list' | 'deleteIf'>
  /**
   * Digests of blobs that work in progress needs, though no row may name them yet. A holder releases them only when a
   * committed row names them, or when they are not wanted any more.
   */
  readonly live: Leases
  readonly isolation: Pick<Isolation, 'caches' | 'discard'>
  readonly logs: Pick<LogStore, 'list' | 'isOpen' | 'delete'>
  /** How long an upload may take to be named by a package, in milliseconds. */
  readonly graceMs: number
}

export interface CollectionRequest {
  readonly dryRun: boolean
  readonly olderThanMs: number
  readonly keepBytes: number | undefined
}

/**
 * The collection of garbage, safe beside everything else that goes on.
 *
 * INVARIANTS
 * - A blob that a row names, or is about to name, is never deleted. Who makes a reference holds the blob as live, or has
 *   written or touched it within the grace. So: what is live is noted first, then the blobs are listed, then the references
 *   read; a holder that releases it in between was noted. At the moment of the deletion the blob's age and its being live are
 *   asked again, in the blob's turn.
 * - Layers and images can be made again, and their caches know who uses them: they may refuse.
 * - A staging is forgotten before its log is; a log without a staging is garbage, so that a crash in between leaves none.
 * - One collection at a time.
 */
export class Collector {
  readonly #parts: CollectorParts
  readonly #mutex = new Mutex()

  constructor(parts: CollectorParts) {
    this.#parts = parts
  }

  /** What went, or with `dryRun` would go. Throws `Unavailable` (`engine-down`) before anything has gone. */
  collect(request: CollectionRequest): Promise<readonly Garbage[]> {
    return this.#mutex.run(() => this.#collect(request))
  }

  async #collect({ dryRun, olderThanMs, keepBytes }: CollectionRequest): Promise<readonly Garbage[]> {
    const { graceMs, live } = this.#parts
    const began = new Date()
    const liveBefore = live.snapshot()
    const { garbage, cached } = await this.#garbage(liveBefore)
    const chosen = chooseGarbage(garbage, { olderThanMs, keepBytes, graceMs }, began)
    if (dryRun) return chosen
    const forgotten = new Set(await this.#forgetStagings(chosen))
    const gone: Garbage[] = []
    for (const one of chosen) if (await this.#remove(one, cached, forgotten, began)) gone.push(one)
    return gone
  }

  async #garbage(liveBefore: ReadonlySet<string>) {
    const { blobs, isolation, references, logs } = this.#parts
    const garbage: Garbage[] = []
    const stored: Garbage[] = []
    for await (const { sha256, length, modifiedAt } of blobs.list())
      if (!liveBefore.has(sha256)) stored.push({ kind: 'blob', id: sha256, bytes: length, usedAt: modifiedAt })
    const caches = await isolation.caches()
    const wanted = await references.resources()
    const digests = new Set(wanted.map(({ sha256 }) => sha256))
    const keys = new Set(wanted.map(layerKey))
    garbage.push(...stored.filter(({ id }) => !digests.has(id)))

    const cached = new Map<Garbage, Cached>()
    for (const one of caches) {
      if (one.inUse || (one.kind === 'layer' && keys.has(one.key ?? ''))) continue
      const { kind, id, bytes, usedAt } = one
      const found = { kind, id, bytes, usedAt }
      cached.set(found, one)
      garbage.push(found)
    }

    const lengths = new Map<string, Garbage>()
    for (const { staging, length, modifiedAt } of await logs.list())
      lengths.set(staging, { kind: 'log', id: staging, bytes: length, usedAt: modifiedAt })
    // After the logs were listed: a staging that has a log has had a row before.
    for (const { uuid, endedAt } of await references.stagings()) {
      const log = lengths.get(uuid)
      lengths.delete(uuid)
      if (!endedAt || logs.isOpen(uuid)) continue
      garbage.push({ kind: 'staging', id: uuid, bytes: log?.bytes ?? 0, usedAt: endedAt })
    }
    garbage.push(...lengths.values())
    return { garbage, cached }
  }

  async #forgetStagings(chosen: readonly Garbage[]): Promise<readonly string[]> {
    const ended = chosen.filter(({ kind, id }) => kind === 'staging' && !this.#parts.logs.isOpen(id))
    return ended.length === 0 ? [] : await this.#parts.references.forgetStagings(ended.map(({ id }) => id))
  }

  async #remove(
    one: Garbage,
    cached: ReadonlyMap<Garbage, Cached>,
    forgotten: ReadonlySet<string>,
    began: Date,
  ): Promise<boolean> {
    const { blobs, isolation, live, logs, graceMs } = this.#parts
    switch (one.kind) {
      case 'blob':
        return await blobs.deleteIf(one.id, (modifiedAt) => {
          return !live.has(one.id) && began.getTime() - modifiedAt.getTime() >= graceMs
        })
      case 'layer':
      case 'image': {
        const found = cached.get(one)
        return found !== undefined && (await isolation.discard(found))
      }
      case 'staging':
        if (!forgotten.has(one.id)) return false
        await logs.delete(one.id)
        return true
      case 'log':
        if (logs.isOpen(one.id)) return false
        await logs.delete(one.id)
        return true
    }
  }
}
