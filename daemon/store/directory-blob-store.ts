import { randomUUID } from 'node:crypto'
import { type BigIntStats, constants, createReadStream, type Dirent } from 'node:fs'
import { type FileHandle, open, opendir, readdir, rename, rm, rmdir, stat, unlink, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { errnoOf, Fault } from '../../base/errors.js'
import { isSha256 } from '../../base/identifiers.js'
import type { Blob, BlobStore, BlobWriteOptions, OpenBlob, Verdict, VerifyOptions, WrittenBlob } from './blob-store.js'
import { blobCorrupt, blobNotFound } from './blob-errors.js'
import { laterThan } from './blob-times.js'
import { copyAndHash } from './blob-writer.js'
import { dropCached } from './drop-cached.js'
import { cautiousNow } from '../../base/steady-clock.js'
import { makeDurableDirectory, syncDirectory } from '../../base/durable-directory.js'
import { KnownContent, type KnownContentOptions } from './known-content.js'
import { storageError } from './storage-errors.js'
import { KeyedMutex } from '../../base/keyed-mutex.js'
import { removeScrap } from '../../base/remove-scrap.js'
import { VerifiedBlobStream } from './verified-blob-stream.js'

/** Exact file times: in milliseconds they are rounded. */
const NANOSECONDS = { bigint: true } as const

/**
 * Blobs as files:
 *
 *   <directory>/new/<uuid>           being written; leftovers of a crash are removed at the start
 *   <directory>/sha256/ab/<ab…hex>   complete and durable
 *
 * INVARIANTS
 * - A file is fsynced before it is renamed into sha256/, and its name is fsynced before `write` resolves.
 * - No file below sha256/ is opened for writing. A write replaces an existing file by a rename: this repairs a damaged
 *   blob, renews its time for garbage collection, and does not disturb readers.
 * - Only one process has the directory open.
 */
export class DirectoryBlobStore implements BlobStore {
  readonly #new: string
  readonly #blobs: string
  /** Resolves when the directory of a prefix is durable: a write must not complete before it. */
  readonly #prefixes = new Map<string, Promise<void>>()
  /** By blob: publishing, touching and deleting. */
  readonly #mutex = new KeyedMutex()
  readonly #known: KnownContent

  private constructor(directory: string, known: KnownContentOptions) {
    this.#new = join(directory, 'new')
    this.#blobs = join(directory, 'sha256')
    this.#known = new KnownContent(known)
  }

  /** Creates missing directories, and removes what interrupted writes left behind. */
  static async open(directory: string, known: KnownContentOptions = {}): Promise<DirectoryBlobStore> {
    const store = new DirectoryBlobStore(directory, known)
    await makeDurableDirectory(store.#new)
    await makeDurableDirectory(store.#blobs)
    for (const leftover of await readdir(store.#new)) await rm(join(store.#new, leftover), { recursive: true })
    return store
  }

  async write(body: Readable, options: BlobWriteOptions = {}): Promise<WrittenBlob> {
    const temporary = join(this.#new, randomUUID())
    const readers: Readable[] = []
    const content = () => {
      const reader = createReadStream(temporary).on('error', () => undefined)
      readers.push(reader)
      return reader
    }
    // Without a listener, a body that fails before it is iterated would end the process.
    body.on('error', () => undefined)
    try {
      const file = await open(temporary, 'wx', 0o600)
      let blob: Blob
      let instead: Readable | undefined
      try {
        blob = await copyAndHash(body, file, options)
        instead = await options.instead?.(content)
        if (!instead) await file.sync()
      } finally {
        await file.close()
      }
      if (instead) {
        const { signal, maxBytes } = options
        const written = await this.write(instead, {
          wantSha1: blob.sha1 !== undefined,
          ...(signal ? { signal } : {}),
          ...(maxBytes === undefined ? {} : { maxBytes }),
        })
        await removeScrap(temporary)
        return written
      }
      options.signal?.throwIfAborted()
      return { ...blob, ...(await this.#publish(temporary, blob.sha256)) }
    } catch (error) {
      body.destroy()
      await removeScrap(temporary)
      throw storageError(error, 'store the data')
    } finally {
      for (const reader of readers) reader.destroy()
    }
  }

  /**
   * An error after the rename leaves a complete blob that no caller knows. It is left to garbage collection: another
   * writer of the same content may have got it acknowledged.
   */
  async #publish(temporary: string, sha256: string): Promise<Pick<WrittenBlob, 'modifiedAt' | 'replaced'>> {
    const path = this.#path(sha256)
    return await this.#mutex.run(sha256, async () => {
      await this.#prefix(dirname(path))
      const replaced = await mtimeOf(path)
      // The grace period begins when the blob becomes visible; a slow disk may have delayed that.
      const modifiedAt = laterThan(replaced)
      await utimes(temporary, modifiedAt, modifiedAt)
      await rename(temporary, path)
      // The rename changes the ctime of the file, so this comes after it.
      const written = await stat(path, NANOSECONDS)
      try {
        await syncDirectory(dirname(path))
      } catch (error) {
        // A later fsync would not show whether the name is durable.
        this.#known.mayBeLost(sha256, written)
        throw error
      }
      this.#known.written(sha256, written)
      return { modifiedAt, replaced }
    })
  }

  async #prefix(directory: string): Promise<void> {
    const known = this.#prefixes.get(directory)
    if (known) return known
    // Also if the directory exists: the process that created it may have died before it was durable.
    const making = makeDurableDirectory(directory)
      .then(() => syncDirectory(this.#blobs))
      .catch(async (error: unknown) => {
        this.#prefixes.delete(directory)
        // The next write makes it anew, unless there are blobs in it.
        await rmdir(directory).catch(() => undefined)
        throw error
      })
    this.#prefixes.set(directory, making)
    return making
  }

  async open(sha256: string): Promise<OpenBlob> {
    const opened = await this.#openFile(sha256)
    if (!opened) throw blobNotFound(sha256)
    const { file, stats } = opened
    if (this.#known.isDamaged(sha256, stats)) {
      await file.close()
      throw blobCorrupt(sha256, 'was found to be different from what was stored')
    }
    const stream = this.#read(sha256, opened)
    const trustedFile = this.#known.mayGiveOut(sha256, stats) ? file : undefined
    return { length: stream.length, stream, trustedFile }
  }

  async verify(
    sha256: string,
    { pace = () => Promise.resolve(), signal, fromDisk = false }: VerifyOptions = {},
  ): Promise<Verdict | undefined> {
    if (fromDisk && isSha256(sha256)) await dropCached(this.#path(sha256))
    const opened = await this.#openFile(sha256)
    if (!opened) return undefined
    const stream = this.#read(sha256, opened)
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        signal?.throwIfAborted()
        await pace(chunk.length)
      }
      this.#known.soundAgain(sha256, opened.stats)
      return 'sound'
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'blob-corrupt') throw error
      return 'damaged'
    } finally {
      stream.destroy()
    }
  }

  async #openFile(sha256: string): Promise<{ readonly file: FileHandle; readonly stats: BigIntStats } | undefined> {
    if (!isSha256(sha256)) return undefined
    let file
    try {
      file = await open(this.#path(sha256), constants.O_RDONLY | constants.O_NOFOLLOW)
      return { file, stats: await file.stat(NANOSECONDS) }
    } catch (error) {
      await file?.close()
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** The stream owns the file. */
  #read(sha256: string, { file, stats }: { readonly file: FileHandle; readonly stats: BigIntStats }) {
    return new VerifiedBlobStream(file, sha256, Number(stats.size), (verdict) => {
      if (verdict === 'sound') this.#known.sound(sha256, stats)
      else this.#known.damaged(sha256, stats, () => stat(this.#path(sha256), NANOSECONDS))
    })
  }

  async has(sha256: string): Promise<boolean> {
    if (!isSha256(sha256)) return false
    try {
      return (await stat(this.#path(sha256))).isFile()
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false
      throw error
    }
  }

  async touch(sha256: string): Promise<{ readonly length: number } | undefined> {
    if (!isSha256(sha256)) return undefined
    return await this.#mutex.run(sha256, async () => {
      const path = this.#path(sha256)
      try {
        const before = await stat(path, NANOSECONDS)
        if (this.#known.mustBeWritten(sha256, before)) return undefined
        // What was set is less by some nanoseconds, so that `before.mtime`, whole milliseconds, can be one less.
        const now = laterThan(new Date(Math.round(Number(before.mtimeNs) / 1e6)))
        await utimes(path, now, now)
        const after = await stat(path, NANOSECONDS)
        this.#known.touched(sha256, before, after)
        return { length: Number(after.size) }
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return undefined
        throw storageError(error, 'renew stored data')
      }
    })
  }

  async delete(sha256: string): Promise<void> {
    await this.deleteIf(sha256, () => true)
  }

  now(): Promise<Date> {
    return Promise.resolve(new Date(cautiousNow()))
  }

  async deleteIf(sha256: string, unwanted: (modifiedAt: Date, storedAt: Date) => boolean): Promise<boolean> {
    if (!isSha256(sha256)) return false
    return await this.#mutex.run(sha256, async () => {
      const path = this.#path(sha256)
      try {
        const { mtime } = await stat(path)
        if (!unwanted(mtime, mtime)) return false
        await unlink(path)
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return false
        throw error
      }
      this.#known.deleted(sha256)
      await syncDirectory(dirname(path))
      return true
    })
  }

  async *list(): AsyncGenerator<{ sha256: string; length: number; modifiedAt: Date }> {
    for (const prefix of await readdir(this.#blobs)) {
      for await (const entry of await opendir(join(this.#blobs, prefix))) {
        if (!isBlob(entry, prefix)) continue
        try {
          const { size, mtime } = await stat(join(this.#blobs, prefix, entry.name))
          yield { sha256: entry.name, length: size, modifiedAt: mtime }
        } catch (error) {
          // It has been deleted since the directory was read.
          if (errnoOf(error) !== 'ENOENT') throw error
        }
      }
    }
  }

  #path(sha256: string): string {
    return join(this.#blobs, sha256.slice(0, 2), sha256)
  }
}

async function mtimeOf(path: string): Promise<Date | undefined> {
  try {
    return (await stat(path)).mtime
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function isBlob(entry: Dirent, prefix: string): boolean {
  return entry.isFile() && isSha256(entry.name) && entry.name.startsWith(prefix)
}
