import { randomBytes } from 'node:crypto'
import { renameSync } from 'node:fs'
import { mkdir, readdir, rename, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { BadInput, errnoOf, Fault, Unavailable } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'
import { type ArchiveLimits, DEFAULT_ARCHIVE_LIMITS, ROOT_LAYER_BYTES } from '../archive/limits.js'
import { Leases } from '../../base/leases.js'
import type { Cached, ResourceReader } from '../isolation.js'
import type { LayerSource } from '../launch-plan.js'
import { buildLayer } from './build-layer.js'
import { imageLayer } from './image-layer.js'
import type { Layer, LayerCache } from './layer.js'
import { layerId, layerKey } from './layer-key.js'
import { type LayerRecord, readRecord } from './layer-record.js'
import { SingleFlight } from './single-flight.js'
import { syncDirectory } from '../../base/durable-directory.js'
import type { ImageLayer } from './layer.js'

export interface LayerDirectoryOptions {
  /** Absolute path; made if it is missing. One daemon at a time. */
  readonly directory: string
  readonly resources: ResourceReader
  readonly limits?: ArchiveLimits
  /** Layers that are built side by side, and as many that are hashed. */
  readonly atOnce?: number
}

const LAYER_NAME = /^[0-9a-z]{16}$/

/** How exactly the last use of a layer is known, in milliseconds. */
const TOUCH_MS = 60_000

/**
 * Layers as directories, each built once, shared read-only ever after.
 *
 *   directory/
 *   ├── 7k2m…/      a whole layer: isolation/layers/build-layer.ts
 *   └── new-…       a layer, or the digest of one, that is being made; or was when the daemon died
 *
 * INVARIANTS
 * - A directory with any other name than `new-*` is whole and durable: it got that name by a rename after it was.
 * - Nothing below it ever changes again, but that the digest of its tar is added once. It goes as a whole, by a rename,
 *   and never while anybody holds it or waits for it.
 *
 * `materialise` throws `BadInput` where the package is at fault, `TooLarge`, `Unavailable` (`disk-full`), `Fault`, or
 * what the resource cannot be read for.
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

  private constructor({ directory, resources, limits = DEFAULT_ARCHIVE_LIMITS, atOnce = 4 }: LayerDirectoryOptions) {
    this.directory = directory
    this.#resources = resources
    this.#limits = limits
    this.#building = new SingleFlight(atOnce)
    this.#hashing = new SingleFlight(atOnce)
  }

  /** Make the directory ready, and remove what a crash left half-built, and layers of another format. */
  static async open(options: LayerDirectoryOptions): Promise<LayerDirectoryCache> {
    // Closed to everybody else: a layer holds whatever setuid programs its package brought.
    await mkdir(options.directory, { recursive: true, mode: 0o700 })
    for (const name of await readdir(options.directory)) {
      const place = join(options.directory, name)
      const isRubbish = name.startsWith('new-') || (LAYER_NAME.test(name) && !(await readRecord(place)))
      if (isRubbish) await removeTree(place)
    }
    return new LayerDirectoryCache(options)
  }

  async materialise(source: LayerSource, signal: AbortSignal, holder?: string): Promise<Layer> {
    const key = layerKey(source)
    if (holder !== undefined) this.#held.hold(key, holder)
    const call = Symbol(key)
    this.#held.hold(key, call)
    try {
      const record =
        (await this.#knownAndThere(key)) ??
        (await this.#building.run(key, signal, (shared) => this.#make(source, key, shared)))
      await this.#touch(layerId(key))
      return this.#layer(source, record)
    } finally {
      this.#held.release(call)
    }
  }

  /** Somebody who cleans up by hand must not make every launch fail until the daemon is started again. */
  async #knownAndThere(key: string): Promise<LayerRecord | undefined> {
    const record = this.#known.get(key)
    if (!record || (await readRecord(join(this.directory, layerId(key))))) return record
    this.#known.delete(key)
    return undefined
  }

  release(holder: string): void {
    this.#held.release(holder)
  }

  /** Every whole layer. */
  async list(): Promise<readonly Cached[]> {
    const found: Cached[] = []
    for (const id of await readdir(this.directory)) {
      const record = id.startsWith('new-') ? undefined : await readRecord(join(this.directory, id))
      if (!record) continue
      const { mtime } = await stat(join(this.directory, id))
      const { key, diskBytes: bytes } = record
      found.push({ kind: 'layer', id, key, bytes, usedAt: mtime, inUse: this.#held.has(key) })
    }
    return found
  }

  /** Tells whether it is gone: not while it is held. */
  async discard(id: string, key: string): Promise<boolean> {
    if (this.#held.has(key) || id !== layerId(key)) return false
    const gone = this.#rubbishName()
    // Not awaited between the question and the deed: whoever asks for the layer from here on has it built anew.
    this.#known.delete(key)
    try {
      renameSync(join(this.directory, id), gone)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return true
      throw error
    }
    await syncDirectory(this.directory)
    await removeTree(gone)
    return true
  }

  /** Its directory tells when a layer was last wanted; nothing below that changes. */
  async #touch(id: string): Promise<void> {
    const now = Date.now()
    if (now - (this.#touched.get(id) ?? 0) < TOUCH_MS) return
    this.#touched.set(id, now)
    await utimes(join(this.directory, id), now / 1000, now / 1000)
  }

  async #make(source: LayerSource, key: string, signal: AbortSignal): Promise<LayerRecord> {
    const id = layerId(key)
    const place = join(this.directory, id)
    let record = await readRecord(place)
    if (record && record.key !== key)
      throw new Fault(
        'layer-collision',
        `The layers of two packages, ${source.name} one of them, have the same id ${id}.`,
      )
    record ??= await this.#build(source, place, signal)
    this.#known.set(key, record)
    return record
  }

  async #build(source: LayerSource, place: string, signal: AbortSignal): Promise<LayerRecord> {
    const fresh = this.#rubbishName()
    try {
      await mkdir(this.directory, { recursive: true, mode: 0o700 })
      await mkdir(fresh, { mode: 0o755 })
      const record = await buildLayer(fresh, source, { resources: this.#resources, limits: this.#limits }, signal)
      // Whoever is aborted here may have a successor already, whose layer is in its place.
      signal.throwIfAborted()
      // Something without a readable record: damaged from outside, or it would have been found.
      await removeTree(place)
      await rename(fresh, place)
      await syncDirectory(this.directory)
      return record
    } catch (error) {
      await removeTree(fresh)
      throw explained(error)
    }
  }

  /** Each its own: whoever was aborted a moment ago may still write to theirs. */
  #rubbishName(): string {
    return join(this.directory, `new-${randomBytes(8).toString('hex')}`)
  }

  #layer({ name }: LayerSource, record: LayerRecord): Layer {
    const { key, bytes } = record
    const id = layerId(key)
    return {
      relativePath: `${id}/tree`,
      asImageLayer: async (signal) => {
        if (bytes > ROOT_LAYER_BYTES)
          throw new BadInput(
            'root-too-large',
            `The package ${name} cannot be a part of a root: its files come to ${bytes} bytes with their holes, which Docker writes out, and at most ${ROOT_LAYER_BYTES} are taken; depend on it under /stagerfs instead, where holes stay holes, or make its files shorter.`,
          )
        const place = join(this.directory, id)
        try {
          return await this.#hashing.run(key, signal, (shared) =>
            imageLayer(place, record, this.#rubbishName(), shared),
          )
        } catch (error) {
          throw explained(error)
        }
      },
    }
  }
}

function explained(error: unknown): unknown {
  if (errnoOf(error) !== 'ENOSPC' && errnoOf(error) !== 'EDQUOT') return error
  return new Unavailable('disk-full', 'There is no space left to unpack the package: free some and try again.', {
    cause: error,
  })
}

/** By `rm`: names are bytes, which Node's own recursive removal would decode. Works on directories without permissions. */
async function removeTree(path: string): Promise<void> {
  await runProcess('rm', ['-rf', '--one-file-system', '--', path])
}
