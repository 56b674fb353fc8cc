import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf, NotFound } from '../../base/errors.js'
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
   *
   * Throws `NotFound` (`no-such-directory`).
   */
  static async open(target: string, id: string): Promise<PartFile> {
    const directory = path.dirname(target)
    const file = path.join(directory, `.${path.basename(target).slice(0, 200)}.${id}.part`)
    try {
      const handle = await open(file, 'a+', 0o666)
      return new PartFile(target, file, handle, (await handle.stat()).size)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
      throw noSuchDirectory(directory)
    }
  }

  append(chunk: Uint8Array): Promise<void> {
    return this.handle.appendFile(chunk)
  }

  async truncate(): Promise<void> {
    await this.handle.truncate(0)
  }

  async publish(): Promise<void> {
    await this.handle.sync()
    await rename(this.path, this.target)
    await this.handle.close()
  }

  /**
   * Closes the file and deletes it, unless it is resumable. Returns the number of bytes kept. Does nothing after
   * `publish`, because the error paths of callers also run for errors after it.
   */
  async discard(resumable: boolean): Promise<number> {
    await this.handle.close()
    const size = await sizeOf(this.path)
    if (resumable && size >= MIN_RESUMABLE_SIZE) return size
    await rm(this.path, { force: true })
    return 0
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0
    throw error
  }
}

export function noSuchDirectory(directory: string): NotFound {
  return new NotFound('no-such-directory', `There is no directory ${quote(directory)}: create it first.`)
}
