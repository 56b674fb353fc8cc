import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { makeDirectory, makeDurableDirectory, syncDirectory } from '../../base/durable-directory.js'
import { LogStore } from '../log/log-store.js'
import { contentOf, type OpenLog } from '../log/open-log.js'
import { wholeLog, type SharedLogs } from '../log/shared-logs.js'

/** Where a node that does not run has the logs of its stagings, or of its bootstraps. */
export interface LogPlace {
  /** UUIDs of stagings. */
  list(): Promise<readonly string[]>
  /** Undefined if there is no log. */
  open(uuid: string): Promise<OpenLog | undefined>
  /**
   * Stores a log, or replaces one: durable when it resolves, and nothing of it can be seen before.
   *
   * @param isComplete whether its staging has ended
   */
  put(uuid: string, log: OpenLog, isComplete: boolean): Promise<void>
  /** SHA-256 of what is stored of a log, read now. Undefined if that is nothing, or was not stored by `put`. */
  digest(uuid: string): Promise<string | undefined>
  /** That of what `put` stores. */
  digestOf(log: OpenLog, isComplete: boolean): Promise<string>
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

  async list(): Promise<readonly string[]> {
    return (await this.#logs.list()).map(({ staging }) => staging)
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
    await this.#logs.take(uuid, file, true)
    await syncDirectory(this.directory)
  }

  async digest(uuid: string): Promise<string | undefined> {
    const log = await this.open(uuid)
    if (!log) return undefined
    try {
      return await this.digestOf(log)
    } finally {
      await log.file.close()
    }
  }

  digestOf(log: OpenLog): Promise<string> {
    return digestOf(contentOf(log))
  }
}

/** Logs as objects, and what a node has of them in files. */
export class LogBucket implements LogPlace {
  constructor(
    private readonly shared: SharedLogs,
    private readonly own: LogDirectory,
    private readonly scrap: string,
  ) {}

  async list(): Promise<readonly string[]> {
    return [...new Set([...(await this.own.list()), ...(await this.shared.list()).keys()])]
  }

  /** The file of this node if it has all that is shared: a node that died may not have shared its last lines. */
  async open(uuid: string): Promise<OpenLog | undefined> {
    await makeDirectory(this.scrap)
    return await this.shared.open(uuid, this.own.fileOf(uuid), path.join(this.scrap, uuid))
  }

  put(uuid: string, log: OpenLog, isComplete: boolean): Promise<void> {
    return this.shared.replace(uuid, log, isComplete)
  }

  async digest(uuid: string): Promise<string | undefined> {
    const stored = await this.shared.openReplaced(uuid)
    return stored && (await digestOf(stored))
  }

  digestOf(log: OpenLog, isComplete: boolean): Promise<string> {
    return digestOf(wholeLog(log, isComplete))
  }
}

async function digestOf(content: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of content) hash.update(chunk)
  return hash.digest('hex')
}
