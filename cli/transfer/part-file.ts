import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

/** In bytes: what is shorter is quicker fetched again than explained. */
const WORTH_KEEPING = 1024 * 1024

/**
 * A file that grows beside its target, under another name until it is whole: nobody ever sees half of it. Whoever opened
 * it either publishes or abandons it.
 */
export class PartFile {
  private constructor(
    readonly target: string,
    readonly path: string,
    readonly handle: FileHandle,
    /** What was there from before, in bytes. */
    readonly length: number,
  ) {}

  /**
   * @param id what it is a part of: another try at the same goes on where the last one was broken off
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

  async startOver(): Promise<void> {
    await this.handle.truncate(0)
  }

  async publish(): Promise<void> {
    await this.handle.sync()
    await rename(this.path, this.target)
    await this.handle.close()
  }

  /**
   * Closes it, and removes it unless another try could go on with it; tells how much is kept, in bytes. Does nothing to
   * one that has been published, because what goes wrong afterwards takes the same way out.
   */
  async abandon(resumable: boolean): Promise<number> {
    await this.handle.close()
    const size = await sizeOf(this.path)
    if (resumable && size >= WORTH_KEEPING) return size
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
  return new NotFound('no-such-directory', `There is no directory ${quote(directory)}: make it first.`)
}
