import { randomUUID } from 'node:crypto'
import type { Stats } from 'node:fs'
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { syncDirectory } from '../../base/durable-directory.js'
import { BadInput, errnoOf, NotFound } from '../../base/errors.js'
import { fileError } from '../../base/file-error.js'
import { quote } from '../../base/fqn.js'

/** In bytes. A shorter part file is not kept: downloading it again is cheap. */
const MIN_RESUMABLE_SIZE = 1024 * 1024

/**
 * A partial download in the directory of its target. It gets the name of the target when it is complete, so that an
 * incomplete file never has that name. The caller of `open` calls `publish` or `discard`.
 */
export class PartFile {
  private constructor(
    readonly target: string,
    readonly path: string,
    readonly handle: FileHandle,
    /** Size when it was opened, in bytes: what an earlier attempt has left. */
    readonly length: number,
  ) {}

  /**
   * @param id identifies the data: opening the same target with the same ID finds what an earlier attempt has left
   * @param mode without what the umask takes away
   *
   * Throws what `assertTarget` throws.
   */
  static async open(target: string, id: string, mode = 0o666): Promise<PartFile> {
    await assertTarget(target)
    const file = path.join(path.dirname(target), `.${path.basename(target).slice(0, 200)}.${id}.part`)
    try {
      const handle = await open(file, 'a+', mode)
      return new PartFile(target, file, handle, (await handle.stat()).size)
    } catch (error) {
      throw fileError(error, { file: target })
    }
  }

  async append(chunk: Uint8Array): Promise<void> {
    try {
      await this.handle.appendFile(chunk)
    } catch (error) {
      throw fileError(error, { file: this.target })
    }
  }

  async truncate(): Promise<void> {
    await this.handle.truncate(0)
  }

  /** The file and its name survive a power failure afterwards. */
  async publish(): Promise<void> {
    await this.handle.sync()
    await rename(this.path, this.target)
    await this.handle.close()
    await syncDirectory(path.dirname(this.target))
  }

  /**
   * Closes the file and deletes it, unless it is resumable. Returns the number of bytes kept. Does nothing after
   * `publish`, because the error paths of callers also run for errors after it.
   */
  async discard(resumable: boolean): Promise<number> {
    await this.handle.close()
    const size = (await statIfExists(this.path))?.size ?? 0
    if (resumable && size >= MIN_RESUMABLE_SIZE) return size
    await rm(this.path, { force: true })
    return 0
  }
}

/**
 * Checks that a file can be written at `target`, to be called before the work whose result goes there.
 *
 * A device, a pipe or a socket is refused: the complete file is renamed to the name of the target, and would replace it.
 *
 * Throws `NotFound` (`no-such-directory`), `BadInput` (`is-a-directory`, `not-a-file`, `file-forbidden`…).
 */
export async function assertTarget(target: string): Promise<void> {
  const found = await statIfExists(target)
  if (found?.isDirectory())
    throw new BadInput('is-a-directory', `${quote(target)} is a directory: give the path of a file in it.`)
  if (found && !found.isFile())
    throw new BadInput('not-a-file', `${quote(target)} is not a regular file: give the path of one, or a new path.`)
  const directory = path.dirname(target)
  // Creating a file is the only test that knows of read-only, full and remote file systems.
  const probe = path.join(directory, `.stagectl-${randomUUID()}`)
  try {
    await (await open(probe, 'wx')).close()
    await rm(probe)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT')
      throw new NotFound('no-such-directory', `There is no directory ${quote(directory)}: create it first.`)
    throw fileError(error, { file: directory, remedy: 'choose a directory that you can write' })
  }
}

async function statIfExists(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw fileError(error, { file })
  }
}
