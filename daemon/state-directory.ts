import { randomUUID } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import type { CleanupStack } from '../base/cleanup-stack.js'
import { makeDirectory, writeDurably } from '../base/durable-directory.js'
import { errnoOf, Fault } from '../base/errors.js'
import { isUuid } from '../base/identifiers.js'
import { removeLeftCopies } from './log/log-copies.js'
import { lockStateDirectory } from './store/sqlite/state-lock.js'
import { unusablePath } from './unusable-path.js'

/** The directory with everything that the daemon keeps, locked for this process; docs/operations.md shows its layout. */
export class StateDirectory {
  private constructor(
    readonly path: string,
    /** UUID of this staging node, generated once for each state directory. */
    readonly nodeId: string,
  ) {}

  get database(): string {
    return path.join(this.path, 'stagerd.db')
  }

  get secretsKey(): string {
    return path.join(this.path, 'secrets.key')
  }

  get blobs(): string {
    return path.join(this.path, 'blobs')
  }

  /** Copies of blobs of a shared store, and what is on its way to it. */
  get blobCache(): string {
    return path.join(this.path, 'blob-cache')
  }

  get layers(): string {
    return path.join(this.path, 'layers')
  }

  get caches(): string {
    return path.join(this.path, 'caches')
  }

  get logs(): string {
    return path.join(this.path, 'logs')
  }

  get bootstrapLogs(): string {
    return path.join(this.path, 'bootstraps')
  }

  get imports(): string {
    return path.join(this.path, 'imports')
  }

  /**
   * Throws `Conflict` (`state-dir-in-use`), `BadInput` (`bad-state-dir`), `Fault` (`bad-node-id`).
   *
   * @param undo gets the release of the lock
   */
  static async open(directory: string, undo: CleanupStack): Promise<StateDirectory> {
    try {
      await makeDirectory(directory, 0o711)
      undo.defer('unlock the state directory', lockStateDirectory(path.join(directory, 'lock.db')))
      const state = new StateDirectory(directory, await readNodeId(path.join(directory, 'node-id')))
      // An import unlinks its file as soon as it is open. A file that still has a name is left over from a crash.
      await rm(state.imports, { recursive: true, force: true })
      await removeLeftCopies(state.logs)
      return state
    } catch (error) {
      const remedy = 'use a directory on a local disk that root can write to, with --state-dir'
      throw unusablePath(error, { code: 'bad-state-dir', what: 'The state directory', path: directory, remedy })
    }
  }
}

async function readNodeId(file: string): Promise<string> {
  try {
    const id = (await readFile(file, 'utf8')).trim()
    if (isUuid(id)) return id
    throw new Fault('bad-node-id', `${file} must contain a UUID: restore it, or delete the whole state directory.`)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  const id = randomUUID()
  await writeDurably(file, `${id}\n`, 0o644)
  return id
}
