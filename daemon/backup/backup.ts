import { createHash, randomUUID } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import {
  BACKUP_FORMAT,
  HEAD_NAME,
  LEFT_OUT_NAME,
  printSums,
  SUMS_NAME,
  type BackupHead,
  type LeftOut,
} from '../../base/backup-archive.js'
import { makeDirectory } from '../../base/durable-directory.js'
import { messageOf, NotFound, StagerdError } from '../../base/errors.js'
import { Holder, type Leases } from '../../base/leases.js'
import { removeScrap } from '../../base/remove-scrap.js'
import { cautiousNow } from '../../base/steady-clock.js'
import { END_OF_ARCHIVE, TAR_BLOCK, tarEntry } from '../../base/tar-blocks.js'
import type { LogStore } from '../log/log-store.js'
import type { BackupRepository } from '../store/backup-repository.js'
import type { BlobStore, OpenBlob } from '../store/blob-store.js'
import { openVerified } from '../store/open-verified.js'
import { storageError } from '../store/storage-errors.js'
import { blobName, DATABASE_NAME, LOG_FOLDERS, logName, type LogFolder } from './backup-files.js'

export interface BackupsParts {
  readonly database: Pick<BackupRepository, 'schema' | 'copyTo'>
  readonly blobs: Pick<BlobStore, 'list' | 'open'>
  readonly live: Leases
  readonly logs: Readonly<Record<LogFolder, Pick<LogStore, 'list' | 'openFile'>>>
  readonly facts: { readonly version: string; readonly nodeId: string }
  /** How long an upload is kept that no package refers to, in milliseconds. */
  readonly graceMs: number
  /** For the copy of the database; created when needed. */
  readonly directory: string
}

export interface Backup {
  /** Must be consumed or destroyed. */
  readonly stream: Readable
  /** About how long it is, in bytes. */
  readonly bytes: number
}

const CHUNK_BYTES = 512 * 1024

/** Whether a blob is in the copy is decided by its database; `lengths` has those that exist. */
interface Found {
  readonly database: FileHandle
  readonly digests: readonly string[]
  readonly lengths: ReadonlyMap<string, number>
}

/**
 * Backs up a node while it works, as a tar archive.
 *
 * INVARIANTS
 * - The archive has the database as it is at one moment, after the request, and every blob that this database refers to. So
 *   everything is in it that was acknowledged before the request, uploads that no package refers to yet included.
 * - These blobs are held from that moment until the stream is closed.
 * - A blob that is missing or damaged does not keep the rest from being backed up: the archive says what is left out.
 */
export class Backups {
  readonly #parts: BackupsParts

  constructor(parts: BackupsParts) {
    this.#parts = parts
  }

  /** Throws `Unavailable` (`disk-full`) when there is no room for a copy of the database. */
  async take(): Promise<Backup> {
    const holder = new Holder()
    try {
      const found = await this.#parts.live.holdFound(
        holder,
        () => this.#find(),
        ({ digests }) => digests,
      )
      const closed = new AbortController()
      const stream = Readable.from(this.#archive(found, closed.signal), {
        objectMode: false,
        highWaterMark: CHUNK_BYTES,
      })
      stream.once('close', () => {
        closed.abort()
        holder.release()
        void found.database.close()
      })
      const lengths = found.digests.map((one) => found.lengths.get(one) ?? 0)
      return { stream, bytes: lengths.reduce((sum, one) => sum + one, (await found.database.stat()).size) }
    } catch (error) {
      holder.release()
      throw storageError(error, 'copy the database')
    }
  }

  async #find(): Promise<Found> {
    const { directory, graceMs, blobs, database } = this.#parts
    const youngest = cautiousNow() - graceMs
    const place = path.join(directory, randomUUID())
    const file = path.join(place, DATABASE_NAME)
    try {
      await makeDirectory(place)
      const digests = new Set(await database.copyTo(file))
      const lengths = new Map<string, number>()
      for await (const { sha256, length, modifiedAt } of blobs.list()) {
        lengths.set(sha256, length)
        if (modifiedAt.getTime() >= youngest) digests.add(sha256)
      }
      return { database: await open(file, 'r'), digests: [...digests].sort(), lengths }
    } finally {
      // SQLite leaves a journal beside a copy that it could not complete.
      await removeScrap(place)
    }
  }

  async *#archive({ database, digests }: Found, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { logs } = this.#parts
    const archive = new Archive()
    yield* archive.text(HEAD_NAME, `${JSON.stringify(this.#head(), undefined, 2)}\n`)
    yield* archive.file(DATABASE_NAME, database, (await database.stat()).size)
    const leftOut: LeftOut[] = []
    for (const sha256 of digests) {
      const blob = await this.#open(sha256, signal).catch((error: unknown) => {
        if (!isLoss(error)) throw error
        leftOut.push({ sha256, why: messageOf(error) })
      })
      if (!blob) continue
      try {
        // Damage that shows only now ends the backup: the length is in the archive already.
        yield* archive.entry(blobName(sha256), blob.stream as AsyncIterable<Buffer>, blob.length)
      } finally {
        blob.stream.destroy()
      }
    }
    for (const folder of LOG_FOLDERS)
      for (const { staging: uuid } of await logs[folder].list()) {
        const log = await logs[folder].openFile(uuid)
        if (!log) continue
        try {
          yield* archive.file(logName(folder, uuid), log.file, log.length)
        } finally {
          await log.file.close()
        }
      }
    if (leftOut.length > 0) yield* archive.text(LEFT_OUT_NAME, `${JSON.stringify(leftOut, undefined, 2)}\n`)
    yield* archive.text(SUMS_NAME, printSums(archive.digests))
    yield END_OF_ARCHIVE
  }

  #open(sha256: string, signal: AbortSignal): Promise<OpenBlob> {
    return openVerified(this.#parts.blobs, sha256, signal)
  }

  #head(): BackupHead {
    const { facts, database } = this.#parts
    return {
      format: BACKUP_FORMAT,
      version: facts.version,
      schema: database.schema,
      node: facts.nodeId,
      taken_at: new Date().toISOString(),
    }
  }
}

/** Writes entries, and remembers their digests. */
class Archive {
  readonly digests = new Map<string, string>()
  readonly #time = Math.floor(Date.now() / 1000)

  text(name: string, text: string): AsyncGenerator<Uint8Array> {
    const bytes = Buffer.from(text)
    return this.entry(name, [bytes], bytes.length)
  }

  file(name: string, file: FileHandle, length: number): AsyncGenerator<Uint8Array> {
    return this.entry(name, chunksOf(file, length), length)
  }

  async *entry(
    name: string,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    length: number,
  ): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256')
    const time = { field: this.#time, record: undefined }
    yield tarEntry({ path: name, kind: 'file', mode: 0o600, owner: 0, time, size: length })
    for await (const chunk of content) {
      hash.update(chunk)
      yield chunk
    }
    if (length % TAR_BLOCK > 0) yield Buffer.alloc(TAR_BLOCK - (length % TAR_BLOCK))
    this.digests.set(name, hash.digest('hex'))
  }
}

/** NULs take the place of what a failed write has cut off meanwhile: the length is in the archive already. */
async function* chunksOf(file: FileHandle, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < length;) {
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, length - at))
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at)
    yield bytesRead === 0 ? chunk : chunk.subarray(0, bytesRead)
    at += bytesRead === 0 ? chunk.length : bytesRead
  }
}

/** Of a blob, before its entry begins. */
function isLoss(error: unknown): boolean {
  return error instanceof NotFound || (error instanceof StagerdError && error.code === 'blob-corrupt')
}
