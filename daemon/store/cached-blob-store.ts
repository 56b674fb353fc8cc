import type { Readable } from 'node:stream'
import { Fault, NotFound, Unavailable } from '../../base/errors.js'
import type { BlobStore, BlobWriteOptions, OpenBlob, Verdict, VerifyOptions, WrittenBlob } from './blob-store.js'
import { DirectoryBlobStore } from './directory-blob-store.js'

export interface CacheOptions {
  /** Beyond it, what was not used for the longest time is removed. */
  readonly maxBytes: number
}

/** Of a blob that is used again and again, the time in the directory is renewed so often. In milliseconds. */
const RENEW_MS = 60_000

interface Cached {
  readonly bytes: number
  /** When its time in the directory was renewed. */
  readonly renewedAt: number
}

/**
 * A store that other nodes share, with copies of its blobs in a directory of this one.
 *
 * INVARIANTS
 * - The shared store decides what exists, and when it was written: the cache only answers for content. What is written here
 *   is acknowledged when the shared store has it.
 * - A blob is opened when its copy is verified: by this process, not too long ago. So each has a trusted file. A copy that is
 *   damaged is fetched again, which its readers do not notice.
 * - However many want a blob at once, it is fetched once.
 * - Whatever a crash leaves of a copy: it is verified before it is used.
 *
 * Limitation: what another node has deleted can be opened here until its copy is removed.
 */
export class CachedBlobStore implements BlobStore {
  /** The copies, of which the least recently used is the first. */
  readonly #cached = new Map<string, Cached>()
  #bytes = 0
  /** How many are about to open or to write each blob: its copy stays. */
  readonly #wanted = new Map<string, number>()
  /** By blob: what makes its copy ready. */
  readonly #preparing = new Map<string, Promise<boolean>>()

  private constructor(
    private readonly shared: BlobStore,
    private readonly local: DirectoryBlobStore,
    private readonly options: CacheOptions,
  ) {}

  /** @param directory of this process alone; copies of earlier ones are kept */
  static async open(shared: BlobStore, directory: string, options: CacheOptions): Promise<CachedBlobStore> {
    const store = new CachedBlobStore(shared, await DirectoryBlobStore.open(directory), options)
    const found = []
    for await (const copy of store.local.list()) found.push(copy)
    found.sort((a, b) => a.modifiedAt.getTime() - b.modifiedAt.getTime())
    for (const { sha256, length } of found) store.#use(sha256, length)
    await store.#removeBeyond(options.maxBytes)
    return store
  }

  /** Bytes of all copies. */
  get bytes(): number {
    return this.#bytes
  }

  async open(sha256: string): Promise<OpenBlob> {
    return await this.#wanting(sha256, async () => {
      while (await this.#prepare(sha256)) {
        const opened = await this.#openCopy(sha256)
        if (opened) return opened
      }
      return await this.shared.open(sha256)
    })
  }

  /** Whether there is a verified copy now. If not, there is no room for one. */
  async #prepare(sha256: string): Promise<boolean> {
    const preparing =
      this.#preparing.get(sha256) ??
      this.#makeReady(sha256).finally(() => {
        this.#preparing.delete(sha256)
      })
    this.#preparing.set(sha256, preparing)
    return await preparing
  }

  async #makeReady(sha256: string): Promise<boolean> {
    const opened = await this.#openCopy(sha256)
    opened?.stream.destroy()
    if (opened?.trustedFile) return true
    if (opened && (await this.local.verify(sha256)) === 'sound') return true
    await this.#remove(sha256)
    return await this.#fetch(sha256)
  }

  /** Undefined if there is none, or it is known to be damaged. */
  async #openCopy(sha256: string): Promise<OpenBlob | undefined> {
    try {
      const opened = await this.local.open(sha256)
      this.#use(sha256, opened.length)
      return opened
    } catch (error) {
      if (error instanceof NotFound || isDamage(error)) return undefined
      throw error
    }
  }

  async #fetch(sha256: string): Promise<boolean> {
    const { length, stream } = await this.shared.open(sha256)
    try {
      await this.#removeBeyond(this.options.maxBytes - length)
      await this.local.write(stream, { expected: { sha256, length } })
      this.#use(sha256, length)
      return true
    } catch (error) {
      if (error instanceof Unavailable && error.code === 'disk-full') return false
      throw error
    } finally {
      stream.destroy()
    }
  }

  /** The shared store gets the content from the copy, and so only when all of it is as expected. */
  async write(body: Readable, options: BlobWriteOptions = {}): Promise<WrittenBlob> {
    const { signal } = options
    const copy = await this.local.write(body, options)
    const { sha256, sha1, length } = copy
    return await this.#wanting(sha256, async () => {
      this.#use(sha256, length)
      let opened
      try {
        opened = await this.local.open(sha256)
        const content = opened.trustedFile?.createReadStream({ start: 0, autoClose: false }) ?? opened.stream
        const written = await this.shared.write(content, {
          expected: { sha256, length },
          ...(signal ? { signal } : {}),
        })
        return { ...written, sha1 }
      } catch (error) {
        await this.#remove(sha256)
        throw error
      } finally {
        opened?.stream.destroy()
      }
    })
  }

  async has(sha256: string): Promise<boolean> {
    return await this.shared.has(sha256)
  }

  /** Reads the blob of the shared store, and its copy if there is one. */
  async verify(sha256: string, options: VerifyOptions = {}): Promise<Verdict | undefined> {
    const verdict = await this.shared.verify(sha256, options)
    // The copy counts as nothing, but waits as the blob does.
    const pace = async () => await options.pace?.(0)
    const copy = await this.local.verify(sha256, { ...options, pace })
    if (copy === 'damaged' || verdict === undefined) await this.#remove(sha256)
    return verdict
  }

  async touch(sha256: string): Promise<{ readonly length: number } | undefined> {
    return await this.shared.touch(sha256)
  }

  async delete(sha256: string): Promise<void> {
    await this.deleteIf(sha256, () => true)
  }

  async now(): Promise<Date> {
    return await this.shared.now()
  }

  async deleteIf(sha256: string, unwanted: (modifiedAt: Date, storedAt: Date) => boolean): Promise<boolean> {
    const deleted = await this.shared.deleteIf(sha256, unwanted)
    if (deleted) await this.#remove(sha256)
    return deleted
  }

  list(): ReturnType<BlobStore['list']> {
    return this.shared.list()
  }

  async #wanting<T>(sha256: string, work: () => Promise<T>): Promise<T> {
    this.#wanted.set(sha256, (this.#wanted.get(sha256) ?? 0) + 1)
    try {
      return await work()
    } finally {
      const others = (this.#wanted.get(sha256) ?? 1) - 1
      if (others > 0) this.#wanted.set(sha256, others)
      else this.#wanted.delete(sha256)
      await this.#removeBeyond(this.options.maxBytes)
    }
  }

  #use(sha256: string, bytes: number): void {
    const before = this.#cached.get(sha256)
    const now = performance.now()
    const isKnown = before !== undefined && now - before.renewedAt < RENEW_MS
    if (before && !isKnown) void this.local.touch(sha256).catch(() => undefined)
    this.#bytes += bytes - (before?.bytes ?? 0)
    this.#cached.delete(sha256)
    this.#cached.set(sha256, { bytes, renewedAt: isKnown ? before.renewedAt : now })
  }

  /** Copies that somebody is about to open stay. A file that is open can be read to its end. */
  async #removeBeyond(bytes: number): Promise<void> {
    for (const sha256 of [...this.#cached.keys()]) {
      if (this.#bytes <= bytes) return
      if (!this.#wanted.has(sha256)) await this.#remove(sha256)
    }
  }

  /** Never rejects: what a disk that fails keeps is verified before it is used, and removed at the next start. */
  async #remove(sha256: string): Promise<void> {
    const { bytes } = this.#cached.get(sha256) ?? { bytes: 0 }
    this.#cached.delete(sha256)
    this.#bytes -= bytes
    await this.local.delete(sha256).catch(() => undefined)
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof Fault && error.code === 'blob-corrupt'
}
