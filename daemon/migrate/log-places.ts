import { createWriteStream } from 'node:fs'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { makeDirectory, makeDurableDirectory, syncDirectory } from '../../base/durable-directory.js'
import { Unavailable } from '../../base/errors.js'
import type { StoredLine } from '../log/log-file.js'
import { END, segmentKey } from '../log/log-segments.js'
import { LogStore } from '../log/log-store.js'
import { hasLine, type SharedLogs } from '../log/shared-logs.js'
import type { Bucket } from '../store/s3/bucket.js'

/** Its complete lines. The caller closes the file. */
export interface OpenLog {
  readonly file: FileHandle
  /** In bytes. */
  readonly length: number
}

/** Where a node that does not run has the logs of its stagings, or of its bootstraps. */
export interface LogPlace {
  /** UUIDs of stagings, and how long what is stored of their logs is, in bytes. */
  list(): Promise<ReadonlyMap<string, number>>
  /** Undefined if there is no log. */
  open(uuid: string): Promise<OpenLog | undefined>
  /**
   * Stores a log, or replaces one: durable when it resolves, and nothing of it can be seen before.
   *
   * @param isComplete whether its staging has ended
   */
  put(uuid: string, log: OpenLog, isComplete: boolean): Promise<void>
  /** How long is stored what has so many bytes. */
  storedLength(length: number, isComplete: boolean): number
}

/** Logs as files of a directory. */
export class LogDirectory implements LogPlace {
  readonly #logs: LogStore

  /** @param scrap a directory on the same filesystem */
  constructor(
    private readonly directory: string,
    private readonly scrap: string,
  ) {
    this.#logs = new LogStore(directory, () => Promise.resolve(true))
  }

  async list(): Promise<ReadonlyMap<string, number>> {
    return new Map((await this.#logs.list()).map(({ staging, length }) => [staging, length]))
  }

  open(uuid: string): Promise<OpenLog | undefined> {
    return this.#logs.openFile(uuid)
  }

  /** The file of a log, whether it is there or not. */
  fileOf(uuid: string): string {
    return path.join(this.directory, `${uuid}.ndjson`)
  }

  async put(uuid: string, log: OpenLog): Promise<void> {
    await makeDirectory(this.scrap)
    const file = path.join(this.scrap, uuid)
    await pipeline(contentOf(log), createWriteStream(file, { mode: 0o600, flush: true }))
    await makeDurableDirectory(this.directory)
    await this.#logs.take(uuid, file)
    await syncDirectory(this.directory)
  }

  storedLength(length: number): number {
    return length
  }
}

/** Logs as objects, and what a node has of them in files. */
export class LogBucket implements LogPlace {
  constructor(
    private readonly bucket: Pick<Bucket, 'upload'>,
    private readonly shared: SharedLogs,
    private readonly own: LogDirectory,
    private readonly scrap: string,
  ) {}

  async list(): Promise<ReadonlyMap<string, number>> {
    const found = new Map(await this.own.list())
    for (const [uuid, { length }] of await this.shared.list()) found.set(uuid, length)
    return found
  }

  /** The file of this node if it has all that is shared: a node that died may not have shared its last lines. */
  async open(uuid: string): Promise<OpenLog | undefined> {
    const { segments } = await this.shared.find(uuid)
    if (segments.length === 0) return await this.own.open(uuid)
    await makeDirectory(this.scrap)
    const copy = path.join(this.scrap, uuid)
    const file = await open(copy, 'w+', 0o600)
    try {
      await unlink(copy)
      const lines = this.shared.read(segments, 0)
      let last: StoredLine | undefined
      let length = 0
      let next = await lines.next()
      for (; next.done !== true; next = await lines.next()) {
        const text = next.value.map(({ json }) => `${json}\n`).join('')
        await file.appendFile(text)
        length += Buffer.byteLength(text)
        last = next.value.at(-1)
      }
      if (next.value === 'replaced')
        throw new Unavailable(
          'log-changed',
          `The log of ${uuid} was replaced while it was read: run the migration again.`,
        )
      if (last && !(await hasLine(this.own.fileOf(uuid), last))) return { file, length }
    } catch (error) {
      await file.close()
      throw error
    }
    await file.close()
    return await this.own.open(uuid)
  }

  /** As the only part of the log, by its first writer: whoever continues it is the second one. */
  async put(uuid: string, log: OpenLog, isComplete: boolean): Promise<void> {
    const content = async function* () {
      yield* contentOf(log)
      if (isComplete) yield Buffer.from(END)
    }
    await this.bucket.upload(segmentKey(uuid, 1, 1), content(), this.storedLength(log.length, isComplete))
  }

  storedLength(length: number, isComplete: boolean): number {
    return length + (isComplete ? Buffer.byteLength(END) : 0)
  }
}

const CHUNK_BYTES = 256 * 1024

async function* contentOf({ file, length }: OpenLog): AsyncGenerator<Buffer> {
  for (let at = 0; at < length;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, length - at))
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at)
    if (bytesRead === 0) throw new Error('a log has become shorter while it was copied')
    yield chunk.subarray(0, bytesRead)
    at += bytesRead
  }
}
