import { rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { makeDirectory } from '../../base/durable-directory.js'
import { errnoOf } from '../../base/errors.js'

/** Precision of the times, in milliseconds: a second use within it is not recorded. */
const PRECISION_MS = 60_000

/** Records when images were last used, which the Engine does not. It is the mtime of an empty file named by the tag. */
export class LastUsedTimes {
  readonly #directory: string
  readonly #marked = new Map<string, number>()

  /** @param directory created with the first mark */
  constructor(directory: string) {
    this.#directory = directory
  }

  async mark(tag: string): Promise<void> {
    const now = performance.now()
    if (now - (this.#marked.get(tag) ?? -Infinity) < PRECISION_MS) return
    await makeDirectory(this.#directory)
    await writeFile(path.join(this.#directory, tag), '')
    this.#marked.set(tag, now)
  }

  /** The epoch for an image that was never marked. */
  async last(tag: string): Promise<Date> {
    try {
      return (await stat(path.join(this.#directory, tag))).mtime
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return new Date(0)
      throw error
    }
  }

  async forget(tag: string): Promise<void> {
    this.#marked.delete(tag)
    await rm(path.join(this.#directory, tag), { force: true })
  }
}
