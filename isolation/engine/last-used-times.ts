import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../base/errors.js'

/** How exactly the last use is known, in milliseconds. */
const MARK_MS = 60_000

/** When images were last used: the Engine does not tell. One empty file each, named by the image's tag. */
export class LastUsedTimes {
  readonly #directory: string
  readonly #marked = new Map<string, number>()

  /** @param directory made when it is needed */
  constructor(directory: string) {
    this.#directory = directory
  }

  async mark(tag: string): Promise<void> {
    const now = Date.now()
    if (now - (this.#marked.get(tag) ?? 0) < MARK_MS) return
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    await writeFile(path.join(this.#directory, tag), '')
    this.#marked.set(tag, now)
  }

  /** The beginning of time for an image that nobody has marked. */
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
