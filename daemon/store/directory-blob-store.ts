import { randomUUID } from 'node:crypto'
import { type BigIntStats, constants, type Dirent } from 'node:fs'
import { open, opendir, readdir, rename, rm, stat, unlink, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { errnoOf, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { isSha256 } from '../../base/identifiers.js'
import type { Blob, BlobStore, BlobWriteOptions, OpenBlob } from './blob-store.js'
import { copyAndHash } from './blob-writer.js'
import { makeDurableDirectory, syncDirectory } from '../../base/durable-directory.js'
import { withDiskFull } from './storage-errors.js'
import { TrustedFiles } from './trusted-files.js'
import { KeyedMutex } from '../../base/keyed-mutex.js'
import { VerifiedBlobStream } from './verified-blob-stream.js'

/** Times of files as they are: as milliseconds they would be rounded. */
const NANOSECONDS = { bigint: true } as const

/**
 * Blobs as files:
 *
 *   <directory>/new/<uuid>           being written; whatever is there at start-up belongs to nobody
 *   <directory>/sha256/ab/<ab…hex>   whole and durable
 *
 * INVARIANTS
 * - A file below sha256/ was fsynced before it got its name, and its name before `write` resolved.
 * - Nothing below sha256/ is ever opened for writing: a new copy takes the old one's place by rename, which also mends
 *   a damaged blob, tells a collection of garbage that it is wanted again, and leaves its readers undisturbed.
 * - One process at a time has the directory open.
 */
export class DirectoryBlobStore implements BlobStore {
  readonly #new: string
  readonly #blobs: string
  /** Settled once the directory of a prefix is durable: whoever finds it there must not run ahead of whoever made it. */
  readonly #prefixes = new Map<string, Promise<void>>()
  /** For each blob, those who would give it its name, renew it or take it away. */
  readonly #mutex = new KeyedMutex()
  /**
   * Inodes of files found not to be what their names say, since the last one was written. By inode, because a reader of a
   * file that was written anew since has nothing to say of the new one; it holds its own, so no other gets that number.
   */
  readonly #damaged = new Map<string, Set<bigint>>()
  /** Known to be what their names say; none of them damaged. */
  readonly #trusted = new TrustedFiles()

  private constructor(directory: string) {
    this.#new = join(directory, 'new')
    this.#blobs = join(directory, 'sha256')
  }

  /** Makes what is missing, and removes what an interrupted write left behind. */
  static async open(directory: string): Promise<DirectoryBlobStore> {
    const store = new DirectoryBlobStore(directory)
    await makeDurableDirectory(store.#new)
    await makeDurableDirectory(store.#blobs)
    for (const leftover of await readdir(store.#new)) await rm(join(store.#new, leftover), { recursive: true })
    return store
  }

  async write(body: Readable, options: BlobWriteOptions = {}): Promise<Blob> {
    const temporary = join(this.#new, randomUUID())
    // The body may fail before its iteration listens: without a listener, that would end the process.
    body.on('error', () => undefined)
    try {
      const file = await open(temporary, 'wx', 0o600)
      let blob: Blob
      try {
        blob = await copyAndHash(body, file, options)
        await file.sync()
      } finally {
        await file.close()
      }
      options.signal?.throwIfAborted()
      await this.#publish(temporary, blob.sha256)
      return blob
    } catch (error) {
      body.destroy()
      await rm(temporary, { force: true })
      throw withDiskFull(error, 'store the data')
    }
  }

  /**
   * An error after the rename leaves a whole blob that nobody was told of. It stays, for the collection of garbage:
   * taking it away could take the same content from another writer, who was told.
   */
  async #publish(temporary: string, sha256: string): Promise<void> {
    const path = this.#path(sha256)
    await this.#mutex.run(sha256, async () => {
      await this.#prefix(dirname(path))
      // Its age counts from when others can see it, not from its last byte: in between a disk may have taken its time.
      const now = new Date()
      await utimes(temporary, now, now)
      await rename(temporary, path)
      this.#damaged.delete(sha256)
      // After the rename, which is a change of the file too.
      this.#trusted.add(sha256, await stat(path, NANOSECONDS))
      await syncDirectory(dirname(path))
    })
  }

  async #prefix(directory: string): Promise<void> {
    const known = this.#prefixes.get(directory)
    if (known) return known
    // Also when it is there already: the process that made it may have died before it was durable.
    const making = makeDurableDirectory(directory).then(() => syncDirectory(this.#blobs))
    this.#prefixes.set(directory, making)
    making.catch(() => this.#prefixes.delete(directory))
    return making
  }

  async open(sha256: string): Promise<OpenBlob> {
    if (!isSha256(sha256)) throw notFound(sha256)
    try {
      const file = await open(this.#path(sha256), constants.O_RDONLY | constants.O_NOFOLLOW)
      try {
        const stats = await file.stat(NANOSECONDS)
        const length = Number(stats.size)
        const stream = new VerifiedBlobStream(file, sha256, length, (verdict) => this.#judge(sha256, stats, verdict))
        return { length, stream, trustedFile: this.#trusted.has(sha256, stats) ? file : undefined }
      } catch (error) {
        await file.close()
        throw error
      }
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw notFound(sha256)
      throw error
    }
  }

  #judge(sha256: string, file: BigIntStats, verdict: 'sound' | 'damaged'): void {
    if (verdict === 'damaged') {
      this.#damaged.set(sha256, (this.#damaged.get(sha256) ?? new Set()).add(file.ino))
      this.#trusted.forget(sha256)
    } else if (!this.#isDamaged(sha256, file)) {
      this.#trusted.add(sha256, file)
    }
  }

  #isDamaged(sha256: string, { ino }: BigIntStats): boolean {
    return this.#damaged.get(sha256)?.has(ino) ?? false
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
      const now = new Date()
      try {
        const before = await stat(path, NANOSECONDS)
        if (this.#isDamaged(sha256, before)) return undefined
        await utimes(path, now, now)
        const after = await stat(path, NANOSECONDS)
        this.#trusted.renew(sha256, before, after)
        return { length: Number(after.size) }
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return undefined
        throw error
      }
    })
  }

  async delete(sha256: string): Promise<void> {
    await this.deleteIf(sha256, () => true)
  }

  async deleteIf(sha256: string, unwanted: (modifiedAt: Date) => boolean): Promise<boolean> {
    if (!isSha256(sha256)) return false
    return await this.#mutex.run(sha256, async () => {
      const path = this.#path(sha256)
      try {
        if (!unwanted((await stat(path)).mtime)) return false
        await unlink(path)
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return false
        throw error
      }
      this.#damaged.delete(sha256)
      this.#trusted.forget(sha256)
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
          // Deleted since the directory was read.
          if (errnoOf(error) !== 'ENOENT') throw error
        }
      }
    }
  }

  #path(sha256: string): string {
    return join(this.#blobs, sha256.slice(0, 2), sha256)
  }
}

function isBlob(entry: Dirent, prefix: string): boolean {
  return entry.isFile() && isSha256(entry.name) && entry.name.startsWith(prefix)
}

function notFound(sha256: string): NotFound {
  return new NotFound('blob-not-found', `There is no data with the digest ${quote(sha256)}.`)
}
