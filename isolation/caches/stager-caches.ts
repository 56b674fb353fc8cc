import { randomBytes } from 'node:crypto'
import { lstat, readdir, rename, rmdir, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from '../../base/durable-directory.js'
import { errnoOf, messageOf } from '../../base/errors.js'
import { KeyedMutex } from '../../base/keyed-mutex.js'
import { type Holder, Leases } from '../../base/leases.js'
import { readDirectoryIfExists } from '../../base/read-directory.js'
import { runProcess } from '../../base/run-process.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { directoryUse } from '../engine/disk-use.js'
import type { StagerCache } from '../isolation.js'
import type { CacheOwner } from '../launch-plan.js'
import { bootId } from './boot-id.js'
import { cacheId, isCacheId } from './cache-id.js'
import {
  areSame,
  cacheListFile,
  isListFile,
  readCacheList,
  removeCacheList,
  sizeOf,
  touchCacheList,
  writeCacheList,
  type CacheLayer,
  type CacheList,
} from './cache-list.js'
import { PendingKeeps, type PendingKeep } from './pending-keeps.js'

export interface StagerCachesOptions {
  /** Absolute path, on the filesystem of the scratch directories of launches. For one daemon at a time. */
  readonly directory: string
  /** The largest size of one cache. */
  readonly bytesOfOne: number
  /** The largest size of all caches together. */
  readonly bytesOfAll: number
  /** Gets what the operator should know: a cache that was damaged, or became too large. */
  readonly warn: (details: Readonly<Record<string, unknown>>, message: string) => void
}

/** A cache as a launch found it. Its layers stay until the holder of the launch releases. */
export interface OpenedCache {
  readonly id: string
  /** The directory that `layers` are in. */
  readonly directory: string
  readonly list: CacheList
  /** How often the cache had been cleared. */
  readonly cleared: number
}

/** The directories of a launch on which nothing runs any more. */
export interface WrittenCache {
  /** The changes of the launch, on top of the layers that it found. */
  readonly upper: string
  /** Where both are mounted. */
  readonly merged: string
  /** A path of its own that does not exist, on the filesystem of the caches. */
  readonly spare: string
  readonly unmount: () => Promise<void>
}

/** More would make the options of the mount long, and each look-up slow. */
const MOST_LAYERS = 8

/**
 * The directories kept for stagers from one launch to the next, for each package and stager:
 *
 *   directory/
 *   └── <uuid of the package>.<uuid of the stager>/
 *       ├── layers.json   the layers that are the cache, lowest first
 *       └── 5be1a0c3/     a layer: what one launch changed
 *
 * A launch mounts the layers with an upper directory of its own. When it ends well, that becomes the topmost layer by a
 * rename. So launches at the same time neither wait for nor see each other: the last that is kept wins, with the layers
 * that it began with.
 *
 * INVARIANTS
 * - The cache is what the list says. The list is replaced as a whole, after its layers are in place. What it does not
 *   name is removed by `tidy`, unless a launch has it.
 * - What cannot be read is an empty cache, with a warning: a cache never keeps a launch from starting.
 * - A layer that was not yet on the disk when the host went down is not used.
 * - Nothing here opens a file of a layer. `cp`, `du` and `rm` follow no links, and nothing of a stager runs meanwhile.
 */
export class StagerCaches {
  readonly #options: StagerCachesOptions
  readonly #mutex = new KeyedMutex()
  readonly #held = new Leases()
  readonly #cleared = new Map<string, number>()
  readonly #pending = new PendingKeeps()

  constructor(options: StagerCachesOptions) {
    this.#options = options
  }

  warn(details: Readonly<Record<string, unknown>>, message: string): void {
    this.#options.warn(details, message)
  }

  /** Waits for launches with a verdict, so that the next one has what they have left. Never for one that has none. */
  async open(owner: CacheOwner, owners: MappedOwners | undefined, holder: Holder): Promise<OpenedCache> {
    const id = cacheId(owner)
    await this.#pending.wait(id)
    return await this.#mutex.run(id, async () => {
      const directory = this.#directoryOf(id)
      await makeDirectory(directory)
      const list = await this.#read(id, ownersText(owners))
      for (const { name } of list.layers) this.#held.hold(`${id}/${name}`, holder)
      // Also an empty one is in use.
      this.#held.hold(id, holder)
      if (list.layers.length > 0) await touchCacheList(directory)
      return { id, directory, list, cleared: this.#cleared.get(id) ?? 0 }
    })
  }

  /** What a launch has written is kept or dropped soon: the next launch waits for it. */
  closing(owner: CacheOwner, keep: PendingKeep): void {
    this.#pending.add(cacheId(owner), keep)
  }

  /** Makes what a launch has written a part of the cache. If it rejects, the cache is as it was. */
  async keep(opened: OpenedCache, written: WrittenCache, signal: AbortSignal): Promise<void> {
    if ((await readdir(written.upper)).length === 0) return
    const bytes = await directoryUse([written.upper], signal)
    const { layers } = opened.list
    const fits = layers.length < MOST_LAYERS && sizeOf(opened.list) + bytes <= this.#options.bytesOfOne
    if (fits) {
      await written.unmount()
      await this.#replace(opened, layers, { from: written.upper, bytes })
    } else {
      await this.#flatten(opened, written, signal)
    }
    await this.#evict()
  }

  /** Every cache with something in it. */
  async list(): Promise<readonly StagerCache[]> {
    const found: StagerCache[] = []
    for (const id of await this.#ids()) {
      const directory = this.#directoryOf(id)
      const list = await readCacheList(directory)
      if (list === undefined || list === 'damaged' || list.layers.length === 0) continue
      const usedAt = await stat(cacheListFile(directory)).then(
        ({ mtime }) => mtime,
        () => undefined,
      )
      const [packageUuid = '', stagerUuid = ''] = id.split('.')
      const bytes = sizeOf(list)
      if (usedAt) found.push({ kind: 'cache', id, packageUuid, stagerUuid, bytes, usedAt, inUse: this.#held.has(id) })
    }
    return found
  }

  /** Empties a cache. A launch that has it goes on with what it found, and nothing of it is kept. */
  async clear(id: string): Promise<void> {
    if (!isCacheId(id)) return
    this.#cleared.set(id, (this.#cleared.get(id) ?? 0) + 1)
    await this.#mutex.run(id, async () => {
      await removeCacheList(this.#directoryOf(id))
      await this.#removeUnlisted(id, [])
    })
  }

  /** Removes what no list names and no launch has, and makes what the lists name survive a failure of power. */
  async tidy(): Promise<void> {
    const ids = await this.#ids()
    const lists = await Promise.all(ids.map((id) => readCacheList(this.#directoryOf(id))))
    const isUnsynced = (list: CacheList) => list.layers.some(({ boot }) => boot !== undefined)
    const unsynced = lists.some((list) => typeof list === 'object' && isUnsynced(list))
    if (unsynced) await runProcess('sync', ['--file-system', this.#options.directory])
    for (const [index, id] of ids.entries())
      await this.#mutex.run(id, async () => {
        const directory = this.#directoryOf(id)
        const list = await readCacheList(directory)
        const layers = typeof list === 'object' ? list.layers : []
        const before = lists[index]
        // A layer that was added since may not be on the disk.
        if (typeof list === 'object' && typeof before === 'object' && isUnsynced(list) && areSame(list, before)) {
          const { mtime } = await stat(cacheListFile(directory))
          await writeCacheList(directory, { ...list, layers: layers.map(({ name, bytes }) => ({ name, bytes })) })
          await utimes(cacheListFile(directory), mtime, mtime)
        }
        await this.#removeUnlisted(id, layers)
      })
  }

  async #read(id: string, owners: string): Promise<CacheList> {
    const directory = this.#directoryOf(id)
    const empty = { owners, layers: [] }
    const list = await readCacheList(directory)
    if (list === undefined) return empty
    const problem = list === 'damaged' ? 'its list cannot be read' : await this.#problemOf(directory, list)
    if (problem === undefined) return typeof list === 'object' && list.owners === owners ? list : empty
    this.#options.warn({ cache: id, problem }, 'the cache of a stager is damaged, and counts as empty')
    await removeCacheList(directory)
    return empty
  }

  async #problemOf(directory: string, { layers }: CacheList): Promise<string | undefined> {
    const boot = await bootId()
    for (const layer of layers) {
      if (layer.boot !== undefined && layer.boot !== boot) return 'the host went down before it was on the disk'
      const found = await lstat(join(directory, layer.name)).catch((error: unknown) => messageOf(error))
      if (typeof found === 'string') return found
      if (!found.isDirectory()) return `${layer.name} is not a directory`
    }
    return undefined
  }

  /** Makes one layer of all that the launch saw, without what is hidden. */
  async #flatten(opened: OpenedCache, { merged, spare, unmount }: WrittenCache, signal: AbortSignal): Promise<void> {
    const { bytesOfOne, warn } = this.#options
    const bytes = await directoryUse([merged], signal)
    if (bytes > bytesOfOne) {
      warn({ cache: opened.id, bytes, quota: bytesOfOne }, 'the cache of a stager is over its quota, and was emptied')
      await this.clear(opened.id)
      return
    }
    try {
      await runProcess('cp', ['--archive', '--no-target-directory', '--', merged, spare], { signal })
    } catch (error) {
      signal.throwIfAborted()
      // Paths that are too long for cp, for example: with them, nothing could be kept ever again.
      warn({ cache: opened.id, err: error }, 'the cache of a stager cannot be copied, and was emptied')
      await this.clear(opened.id)
      return
    }
    await unmount()
    await this.#replace(opened, [], { from: spare, bytes })
  }

  async #replace(
    { id, directory, list, cleared }: OpenedCache,
    below: readonly CacheLayer[],
    { from, bytes }: { readonly from: string; readonly bytes: number },
  ): Promise<void> {
    await this.#mutex.run(id, async () => {
      if ((this.#cleared.get(id) ?? 0) !== cleared) return
      const name = randomBytes(4).toString('hex')
      await makeDirectory(directory)
      await rename(from, join(directory, name))
      const layers = [...below, { name, bytes, boot: await bootId() }]
      await writeCacheList(directory, { owners: list.owners, layers })
    })
  }

  /** Those that were used least recently go first. */
  async #evict(): Promise<void> {
    const all = [...(await this.list())].sort((a, b) => a.usedAt.getTime() - b.usedAt.getTime())
    let total = all.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const { id, bytes, inUse } of all) {
      if (total <= this.#options.bytesOfAll) return
      if (inUse && all.length > 1) continue
      await this.clear(id)
      total -= bytes
    }
  }

  async #removeUnlisted(id: string, layers: readonly CacheLayer[]): Promise<void> {
    const directory = this.#directoryOf(id)
    const listed = new Set(layers.map(({ name }) => name))
    const names = await readDirectoryIfExists(directory)
    const isFree = (name: string) => !isListFile(name) && !listed.has(name) && !this.#held.has(`${id}/${name}`)
    const gone = names.filter(isFree).map((name) => join(directory, name))
    if (gone.length > 0) await runProcess('rm', ['-rf', '--one-file-system', '--', ...gone])
    if (this.#held.has(id)) return
    try {
      await rmdir(directory)
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) throw error
    }
  }

  async #ids(): Promise<string[]> {
    return (await readDirectoryIfExists(this.#options.directory)).filter(isCacheId)
  }

  #directoryOf(id: string): string {
    return join(this.#options.directory, id)
  }
}

function ownersText(owners: MappedOwners | undefined): string {
  return owners ? `${owners.uids.text} ${owners.gids.text}` : ''
}
