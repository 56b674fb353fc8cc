import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  LEFT_OUT_NAME,
  readBackup,
  readHead,
  readLeftOut,
  type BackupEntry,
  type BackupHead,
  type LeftOut,
} from '../../base/backup-archive.js'
import { makeDirectory } from '../../base/durable-directory.js'
import { BadInput, messageOf, StagerdError, Unavailable } from '../../base/errors.js'
import { Holder, type Leases } from '../../base/leases.js'
import { Mutex } from '../../base/mutex.js'
import { removeScrap } from '../../base/remove-scrap.js'
import type { LogStore } from '../log/log-store.js'
import type { BackupRepository, Restored } from '../store/backup-repository.js'
import type { BlobStore } from '../store/blob-store.js'
import { storageError } from '../store/storage-errors.js'
import { fileOf, LOG_FOLDERS, type LogFolder } from './backup-files.js'

export interface RestorerParts {
  readonly database: Pick<BackupRepository, 'schema' | 'assertReplaceable' | 'endedIn' | 'replaceBy'>
  readonly blobs: Pick<BlobStore, 'write' | 'has' | 'deleteIf'>
  readonly live: Leases
  readonly logs: Readonly<Record<LogFolder, Pick<LogStore, 'list' | 'take' | 'delete'>>>
  /** Where stagings are admitted. */
  readonly stagings: {
    readonly draining: boolean
    drain(): void
    undrain(): void
    idle(): Promise<void>
  }
  readonly bootstraps: { resume(): Promise<void> }
  readonly webhooks: { seal(): Promise<void> }
  /** For what waits until the backup is known to be complete; created when needed. */
  readonly directory: string
}

export interface Restoration extends Restored {
  readonly head: BackupHead
  readonly resources: number
  readonly leftOut: readonly LeftOut[]
}

interface Received {
  head: BackupHead | undefined
  resources: number
  leftOut: readonly LeftOut[]
  /** Blobs that were not there, and when they were complete. */
  readonly made: Map<string, Date>
  readonly logs: ReceivedLog[]
  /** Those of them that have their place already. */
  readonly placed: ReceivedLog[]
}

interface ReceivedLog {
  readonly folder: LogFolder
  readonly uuid: string
  readonly file: string
}

/**
 * Restores a backup to a running daemon.
 *
 * INVARIANTS
 * - The content of the database is replaced in one transaction, when all of the backup has been received and verified, and
 *   its blobs are durable. Before that nothing of it can be seen, and nothing of what was there is lost.
 * - Of a backup that is refused nothing stays. After a crash, blobs of it are garbage.
 * - What is restored is there for all nodes that share the database: blobs and logs are where they look for them.
 * - Once the content is replaced, all of it stays, even if something that follows fails and the answer says so.
 * - No staging is at work when the content is replaced. Those of the backup continue as after a restart.
 */
export class Restorer {
  readonly #parts: RestorerParts
  readonly #mutex = new Mutex()

  constructor(parts: RestorerParts) {
    this.#parts = parts
  }

  /**
   * Throws what `readBackup` and `BackupRepository.replaceBy` throw, `Unavailable` (`disk-full`, `restore-incomplete`).
   *
   * @param replace whether what is there may be lost
   */
  restore(body: Readable, replace: boolean): Promise<Restoration> {
    return this.#mutex.run(async () => {
      await this.#parts.database.assertReplaceable(replace)
      const directory = path.join(this.#parts.directory, randomUUID())
      const holder = new Holder()
      const received: Received = { head: undefined, resources: 0, leftOut: [], made: new Map(), logs: [], placed: [] }
      try {
        await makeDirectory(directory)
        const head = await this.#receive(body, directory, received, holder)
        const restored = await this.#replace(path.join(directory, 'stagerd.db'), replace, received, holder)
        return { ...restored, head, resources: received.resources, leftOut: received.leftOut }
      } catch (error) {
        holder.release()
        await this.#discard(received)
        throw storageError(error, 'restore the backup')
      } finally {
        holder.release()
        await removeScrap(directory)
      }
    })
  }

  async #receive(body: Readable, directory: string, received: Received, holder: Holder): Promise<BackupHead> {
    let head: BackupHead | undefined
    let hasDatabase = false
    for await (const entry of readBackup(body)) {
      if (!head) {
        head = await readHead(entry, this.#parts.database.schema)
        continue
      }
      if (entry.name === LEFT_OUT_NAME) {
        received.leftOut = await readLeftOut(entry)
        continue
      }
      const file = fileOf(entry.name)
      switch (file?.kind) {
        case 'database':
          hasDatabase = true
          await spool(entry, path.join(directory, 'stagerd.db'))
          break
        case 'blob':
          await this.#receiveBlob(entry, file.sha256, received, holder)
          break
        case 'log': {
          const spooled = path.join(directory, `${file.folder}-${file.uuid}`)
          await spool(entry, spooled)
          received.logs.push({ ...file, file: spooled })
          break
        }
        case undefined:
          throw new BadInput(
            'bad-backup',
            `The backup has an entry that does not belong into one: ${JSON.stringify(entry.name)}.`,
          )
      }
    }
    if (!head || !hasDatabase)
      throw new BadInput('bad-backup', 'The backup has no database: give a file that `stagectl node backup` wrote.')
    return head
  }

  async #receiveBlob({ content }: BackupEntry, sha256: string, received: Received, holder: Holder): Promise<void> {
    const { blobs, live } = this.#parts
    live.hold(sha256, holder)
    const isNew = !(await blobs.has(sha256))
    try {
      await blobs.write(content, { expected: { sha256 } })
    } catch (error) {
      if (!(error instanceof StagerdError && error.code === 'digest-mismatch')) throw error
      throw new BadInput(
        'backup-damaged',
        `The backup is damaged at the resource ${sha256}, and nothing of it was used: take another one.`,
        { cause: error },
      )
    }
    if (isNew) received.made.set(sha256, new Date())
    received.resources += 1
  }

  async #replace(copy: string, replace: boolean, received: Received, holder: Holder): Promise<Restored> {
    const { database, live, stagings } = this.#parts
    const wasDraining = stagings.draining
    stagings.drain()
    try {
      await database.assertReplaceable(replace)
      // None runs any more, so what is left to wait for is the removal of the last ones.
      await stagings.idle()
      const ended = database.endedIn(copy)
      await this.#placeNewLogs(received, ended)
      await live.confirmAll(holder)
      const restored = await database.replaceBy(copy, replace)
      await this.#follow(received, ended)
      return restored
    } finally {
      if (!wasDraining) stagings.undrain()
    }
  }

  /** What follows from the new rows: each of it, also where another part fails. Throws `Unavailable` (`restore-incomplete`). */
  async #follow(received: Received, ended: ReadonlySet<string>): Promise<void> {
    const { bootstraps, logs, webhooks } = this.#parts
    const others = received.logs.filter((one) => !received.placed.includes(one))
    // The rows refer to it now.
    received.made.clear()
    received.placed.length = 0
    const errors: unknown[] = []
    const attempt = async (work: () => Promise<void>) => {
      await work().catch((error: unknown) => errors.push(error))
    }
    await attempt(() => webhooks.seal())
    for (const { folder, uuid, file } of others) await attempt(() => logs[folder].take(uuid, file, ended.has(uuid)))
    await attempt(() => bootstraps.resume())
    if (errors.length === 0) return
    const [first] = errors
    throw new Unavailable(
      'restore-incomplete',
      `The node has the content of the backup now, but what follows from that has failed (${messageOf(first).replace(/[.:]+$/, '')}): restore the backup again with --replace when the cause is gone.`,
      { cause: first },
    )
  }

  /**
   * Before the rows: a log without a row is garbage, and a row promises its log. The log of a staging that this node has,
   * too, stays as it is until then.
   */
  async #placeNewLogs({ logs, placed }: Received, ended: ReadonlySet<string>): Promise<void> {
    for (const folder of LOG_FOLDERS) {
      const there = new Set((await this.#parts.logs[folder].list()).map(({ staging }) => staging))
      for (const log of logs) {
        if (log.folder !== folder || there.has(log.uuid)) continue
        placed.push(log)
        await this.#parts.logs[folder].take(log.uuid, log.file, ended.has(log.uuid))
      }
    }
  }

  /** Whoever has taken one of the blobs meanwhile has touched it. Never rejects: what cannot be removed is garbage. */
  async #discard({ made, placed }: Received): Promise<void> {
    const { blobs, live } = this.#parts
    const isOurs = (sha256: string, at: Date) => (modifiedAt: Date) => modifiedAt <= at && !live.has(sha256)
    for (const [sha256, at] of made) await blobs.deleteIf(sha256, isOurs(sha256, at)).catch(() => false)
    for (const { folder, uuid } of placed) await this.#parts.logs[folder].delete(uuid).catch(() => undefined)
  }
}

async function spool({ content }: BackupEntry, file: string): Promise<void> {
  await pipeline(content, createWriteStream(file, { mode: 0o600, flush: true }))
}
