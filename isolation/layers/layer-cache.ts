import { randomBytes } from 'node:crypto'
import { renameSync } from 'node:fs'
import { mkdir, readdir, rename, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, Fault, NotFound, NotRunnable } from '../../base/errors.js'
import { type ArchiveLimits, DEFAULT_ARCHIVE_LIMITS, ROOT_LAYER_BYTES } from '../archive/limits.js'
import { Holder, Leases } from '../../base/leases.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import type { Cached, ResourceReader } from '../isolation.js'
import type { LayerContent, LayerSource } from '../launch-plan.js'
import type { LayerVerdict, LayerVerifyOptions } from '../layer-verification.js'
import { buildLayer } from './build-layer.js'
import { differenceFromBlob } from './compare-layer.js'
import { imageLayer } from './image-layer.js'
import type { ImageLayer, Layer, LayerCache, LayerObserver } from './layer.js'
import { layerId, layerKey } from './layer-key.js'
import { differenceFrom } from './layer-sample.js'
import { type LayerRecord, readRecord } from './layer-record.js'
import { explained } from './disk-full.js'
import { removeTree } from './remove-tree.js'
import { SingleFlight } from './single-flight.js'
import { makeDirectory, syncDirectory } from '../../base/durable-directory.js'

export interface LayerDirectoryOptions {
  /** Absolute path; created if it does not exist. For one daemon at a time. */
  readonly directory: string
  readonly resources: ResourceReader
  readonly limits?: ArchiveLimits
  /** The number of layers that are built concurrently, and of those that are hashed concurrently. */
  readonly atOnce?: number
  readonly observer?: LayerObserver
  /** Ids of layers that an earlier process has found to be damaged. */
  readonly damaged?: Iterable<string>
}

interface Wanted {
  readonly key: string
  readonly owners: MappedOwners | undefined
}

const LAYER_NAME = /^[0-9a-z]{16}$/

/** The precision of the time of last use, in milliseconds. */
const TOUCH_MS = 60_000

/**
 * Layers as directories, each built once and then shared read-only.
 *
 *   directory/
 *   ├── 7k2m…/      a complete layer: isolation/layers/build-layer.ts
 *   └── new-…       a layer, or the digest of one, in progress; or a leftover of a crash
 *
 * INVARIANTS
 * - A directory with another name than `new-*` is complete and durable: it is renamed after that.
 * - Its content does not change, except that the digest of its tar is added once. It is removed as a whole, by a rename
 *   first, and only while nobody holds it or waits for it.
 * - Before its first use by this process, a sample of it is compared with what was unpacked. `verify` compares all of it.
 *
 * `materialise` throws `BadInput` if the package is invalid, `TooLarge`, `Unavailable` (`disk-full`), `Fault`, and the
 * errors of reading the resource.
 */
export class LayerDirectoryCache implements LayerCache {
  readonly directory: string
  readonly #resources: ResourceReader
  readonly #limits: ArchiveLimits
  readonly #building: SingleFlight<LayerRecord>
  readonly #hashing: SingleFlight<ImageLayer>
  readonly #known = new Map<string, LayerRecord>()
  readonly #held = new Leases()
  readonly #touched = new Map<string, number>()
  /** Ids of those that are damaged and in use. */
  readonly #damaged: Set<string>
  readonly #observer: LayerObserver | undefined

  private constructor(options: LayerDirectoryOptions) {
    const { directory, resources, limits = DEFAULT_ARCHIVE_LIMITS, atOnce = 4, observer, damaged } = options
    this.#damaged = new Set(damaged)
    this.#observer = observer
    this.directory = directory
    this.#resources = resources
    this.#limits = limits
    this.#building = new SingleFlight(atOnce)
    this.#hashing = new SingleFlight(atOnce)
  }

  /** Creates the directory if needed, and removes leftovers of a crash and layers of another format. */
  static async open(options: LayerDirectoryOptions): Promise<LayerDirectoryCache> {
    // Only for root: a layer can contain setuid programs of its package.
    await makeDirectory(options.directory)
    for (const name of await readdir(options.directory)) {
      const place = join(options.directory, name)
      const isLeftover = name.startsWith('new-') || (LAYER_NAME.test(name) && !(await readRecord(place)))
      if (isLeftover) await removeTree(place)
    }
    return new LayerDirectoryCache(options)
  }

  async materialise(source: LayerSource, signal: AbortSignal, holder?: Holder, owners?: MappedOwners): Promise<Layer> {
    const key = layerKey(source, owners)
    if (this.#damaged.has(layerId(key))) await this.discard(layerId(key))
    if (holder !== undefined) this.#held.hold(key, holder)
    const call = new Holder()
    this.#held.hold(key, call)
    try {
      const record =
        (await this.#knownRecord(key)) ??
        (await this.#building.run(key, signal, (shared) => this.#make(source, { key, owners }, shared)))
      await this.#touch(layerId(key))
      return this.#layer(source, record, owners)
    } finally {
      call.release()
    }
  }

  /** Checks the directory too: if it was removed by hand, the layer is built again. */
  async #knownRecord(key: string): Promise<LayerRecord | undefined> {
    const record = this.#known.get(key)
    if (!record || (await readRecord(join(this.directory, layerId(key))))) return record
    this.#known.delete(key)
    return undefined
  }

  /** Every complete layer. Those of `needed`, with these owners, are in use. */
  async list(needed: readonly LayerContent[] = [], owners?: MappedOwners): Promise<readonly Cached[]> {
    const neededKeys = new Set(needed.map((content) => layerKey(content, owners)))
    const found: Cached[] = []
    for (const id of await readdir(this.directory)) {
      const record = id.startsWith('new-') ? undefined : await readRecord(join(this.directory, id))
      if (!record) continue
      const { mtime } = await stat(join(this.directory, id))
      const { key, diskBytes: bytes } = record
      found.push({ kind: 'layer', id, bytes, usedAt: mtime, inUse: neededKeys.has(key) || this.#held.has(key) })
    }
    return found
  }

  /** Returns whether the layer is removed; a layer that is held is kept. */
  async discard(id: string): Promise<boolean> {
    const key = (await readRecord(join(this.directory, id)))?.key
    if (key === undefined) {
      this.#damaged.delete(id)
      return true
    }
    // Synchronous from the check to the rename: a call of `materialise` after it builds the layer again.
    if (this.#held.has(key)) return false
    await this.#remove(id, key)
    return true
  }

  async #remove(id: string, key: string): Promise<void> {
    const gone = this.#temporaryName()
    this.#known.delete(key)
    this.#damaged.delete(id)
    this.#observer?.gone(id)
    try {
      renameSync(join(this.directory, id), gone)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return
      throw error
    }
    await syncDirectory(this.directory)
    await removeTree(gone)
  }

  /** See `LayerVerification`. @param owners those of the Engine now */
  async verify(id: string, options: LayerVerifyOptions, owners?: MappedOwners): Promise<LayerVerdict> {
    const place = join(this.directory, id)
    const record = await readRecord(place)
    if (!record) return 'unknown'
    const { key, source } = record
    if (!this.#damaged.has(id)) {
      const holder = new Holder()
      this.#held.hold(key, holder)
      try {
        if (source && layerKey(source, owners) === key) {
          const parts = { resources: this.#resources, limits: this.#limits, owners }
          const temporaryName = () => this.#temporaryName()
          const how = await differenceFromBlob({ place, record, source, temporaryName, ...parts }, options)
          if (how === undefined) return 'sound'
          this.#noteDamage(id, how)
        }
      } catch (error) {
        // Nothing can be launched from it any more.
        if (!(error instanceof NotFound)) throw error
      } finally {
        holder.release()
      }
    }
    if (await this.discard(id)) return 'replaced'
    return this.#damaged.has(id) ? 'damaged' : 'unknown'
  }

  #noteDamage(id: string, how: string): void {
    if (this.#damaged.has(id)) return
    this.#damaged.add(id)
    this.#observer?.damaged(id, how)
  }

  /** The mtime of its directory is the time when a layer was last used. */
  async #touch(id: string): Promise<void> {
    const since = performance.now()
    if (since - (this.#touched.get(id) ?? -Infinity) < TOUCH_MS) return
    this.#touched.set(id, since)
    const now = new Date()
    await utimes(join(this.directory, id), now, now)
  }

  async #make(source: LayerSource, { key, owners }: Wanted, signal: AbortSignal): Promise<LayerRecord> {
    const id = layerId(key)
    const place = join(this.directory, id)
    let record = await readRecord(place)
    if (record && record.key !== key)
      throw new Fault(
        'layer-collision',
        `The layer of ${source.name} has the same id ${id} as the layer of another package.`,
      )
    const how = record?.sample && (await differenceFrom(record.sample, join(place, 'tree')))
    if (how !== undefined) {
      // Nobody uses it: this is the first use by this process, for all who wait for it.
      this.#noteDamage(id, how)
      await this.#remove(id, key)
      record = undefined
    }
    if (!record) {
      record = await this.#build(source, place, owners, signal)
      this.#damaged.delete(id)
    }
    this.#known.set(key, record)
    return record
  }

  async #build(
    source: LayerSource,
    place: string,
    owners: MappedOwners | undefined,
    signal: AbortSignal,
  ): Promise<LayerRecord> {
    const fresh = this.#temporaryName()
    try {
      await makeDirectory(this.directory)
      await mkdir(fresh, { mode: 0o755 })
      const build = { resources: this.#resources, limits: this.#limits, owners }
      const record = await buildLayer(fresh, source, build, signal)
      // After an abort another build may have put its layer in place already.
      signal.throwIfAborted()
      // A directory without a readable record, which was damaged from outside.
      await removeTree(place)
      await rename(fresh, place)
      await syncDirectory(this.directory)
      return record
    } catch (error) {
      await removeTree(fresh)
      throw explained(error)
    }
  }

  /** A new name for each build: an aborted one may still be writing to its directory. */
  #temporaryName(): string {
    return join(this.directory, `new-${randomBytes(8).toString('hex')}`)
  }

  #layer({ name }: LayerSource, record: LayerRecord, owners: MappedOwners | undefined): Layer {
    const { key, bytes } = record
    const id = layerId(key)
    return {
      relativePath: `${id}/tree`,
      asImageLayer: async (signal) => {
        if (bytes > ROOT_LAYER_BYTES)
          throw new NotRunnable(
            'root-too-large',
            `The package ${name} cannot be part of a root: its files have ${bytes} bytes including their holes, which Docker writes as zeros, and at most ${ROOT_LAYER_BYTES} are accepted; depend on it under /stagerfs instead, where files stay sparse, or make its files shorter.`,
          )
        const place = join(this.directory, id)
        try {
          const changed = () => this.#noteDamage(id, 'was changed on disk')
          return await this.#hashing.run(key, signal, (shared) =>
            imageLayer({ place, record, owners, changed }, this.#temporaryName(), shared),
          )
        } catch (error) {
          throw explained(error)
        }
      },
    }
  }
}
