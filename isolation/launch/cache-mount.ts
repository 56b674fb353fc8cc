import { chmod, chown, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeDirectory } from '../../base/durable-directory.js'
import { messageOf } from '../../base/errors.js'
import type { Holder } from '../../base/leases.js'
import { type MappedOwners, rootOnDisk } from '../archive/mapped-owners.js'
import type { OpenedCache, StagerCaches } from '../caches/stager-caches.js'
import { mountOverlay, shareMountPoint, unmount, unmountShared } from '../host/mounts.js'
import { mountSource, type Owner } from '../host/ownership.js'
import { scratchOf, type Scratch } from '../host/scratch.js'
import type { CacheOwner } from '../launch-plan.js'
import type { AfterContainer } from './after-container.js'
import type { Step } from './step.js'

export interface CacheMountParts {
  readonly owner: Owner
  readonly stateDirectory: string
  readonly caches: StagerCaches
  /** Those of the container. */
  readonly owners: MappedOwners | undefined
}

/**
 * The directory kept for a stager, as one launch has it: the layers of the cache with a private upper directory on top.
 *
 * LIFECYCLE as of `Stagerfs`, with whose scratch directory its own are removed. What the launch writes is dropped unless
 * `keepAtEnd` is called before the cleanup, and not taken back.
 */
export class CacheMount {
  readonly #parts: CacheMountParts
  readonly #scratch: Scratch
  readonly #holder: Holder
  #cache: CacheOwner | undefined
  #isShared = false
  #opened: OpenedCache | undefined
  /** Tells a launch that waits that the cache is kept, or will not be. */
  #endKept: (() => void) | undefined
  #isDropped = false

  constructor(parts: CacheMountParts, { id, holder }: { readonly id: string; readonly holder: Holder }) {
    this.#parts = parts
    this.#holder = holder
    this.#scratch = scratchOf(parts.stateDirectory, id)
  }

  /** On the host. */
  get mountPoint(): string {
    return this.#scratch.cache
  }

  get upper(): string {
    return this.#scratch.cacheUpper
  }

  deferUndo(after: AfterContainer): void {
    after.defer('unmount the cache', (deadline) =>
      (this.#isShared ? unmountShared : unmount)(this.#scratch.cache, deadline),
    )
    after.defer('keep the cache', (deadline) => this.#keep(deadline))
  }

  /**
   * To be called after the verdict of the program. The next launch waits for the cleanup, or `drop`.
   *
   * @param ended settles when it has ended; must not reject
   */
  keepAtEnd(ended: Promise<unknown>): void {
    if (!this.#cache || !this.#opened || this.#endKept) return
    const over = new Promise<void>((resolve) => (this.#endKept = resolve))
    this.#parts.caches.closing(this.#cache, { ended, over })
  }

  /** Takes `keepAtEnd` back. */
  drop(): void {
    this.#isDropped = true
    this.endKeeping()
  }

  /** What has not been kept by the end of the cleanup never is. */
  endKeeping(): void {
    this.#endKept?.()
  }

  async makeDirectories(): Promise<void> {
    const { cache, cacheUpper, cacheWork, cacheGround } = this.#scratch
    await makeDirectory(dirname(cache))
    await Promise.all([cache, cacheUpper, cacheWork, cacheGround].map((path) => mkdir(path)))
    const { uid, gid } = rootOnDisk(this.#parts.owners)
    await chown(cacheUpper, uid, gid)
    // The user of a stager has no id before its root is read. mkdir(2) applies the umask.
    await chmod(cacheUpper, 0o1777)
  }

  /** Before the container is created. */
  async share(signal: AbortSignal): Promise<void> {
    this.#isShared = true
    await shareMountPoint(this.#scratch.cache, signal)
  }

  /** A cache that cannot be mounted is emptied. */
  async mount(cache: CacheOwner, step: Step, signal: AbortSignal): Promise<void> {
    this.#cache = cache
    await step('cache', () => this.#openAndMount(cache, signal))
  }

  async #openAndMount(cache: CacheOwner, signal: AbortSignal): Promise<void> {
    const { caches, owners } = this.#parts
    const opened = await caches.open(cache, owners, this.#holder)
    try {
      await this.#mount(opened, signal)
      this.#opened = opened
    } catch (error) {
      signal.throwIfAborted()
      if (opened.list.layers.length === 0) throw error
      caches.warn(
        { cache: opened.id, problem: messageOf(error) },
        'the cache of a stager cannot be mounted, and was emptied',
      )
      await caches.clear(opened.id)
      await this.#openAndMount(cache, signal)
    }
  }

  async #mount({ directory, list }: OpenedCache, signal: AbortSignal): Promise<void> {
    const { cache, cacheUpper, cacheWork, cacheGround } = this.#scratch
    const mount = {
      source: mountSource(this.#parts.owner),
      base: directory,
      lowers: [...list.layers.map(({ name }) => name).toReversed(), cacheGround],
      upper: cacheUpper,
      work: cacheWork,
      target: cache,
    }
    await mountOverlay(mount, signal)
  }

  /** Never rejects: what is not kept is made again. */
  async #keep(signal: AbortSignal): Promise<void> {
    if (!this.#opened || !this.#endKept || this.#isDropped) return
    const { caches } = this.#parts
    const { cache: merged, cacheUpper: upper, cacheFlat: spare } = this.#scratch
    try {
      await caches.keep(this.#opened, { upper, merged, spare, unmount: () => unmount(merged, signal) }, signal)
    } catch (error) {
      caches.warn({ cache: this.#opened.id, err: error }, 'what a stager has put into its cache could not be kept')
    }
    this.#endKept()
  }
}
