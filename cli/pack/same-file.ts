import { lstatSync, statSync, type BigIntStats } from 'node:fs'

/** Recognises files by device and inode, whatever the names are by which they are found. */
export class SameFile {
  readonly #known = new Set<string>()

  /** @param paths absolute; for a link, both the link and the file it leads to. What is not there is ignored */
  constructor(paths: readonly string[]) {
    const options = { bigint: true, throwIfNoEntry: false } as const
    for (const path of paths)
      for (const found of [lstatSync(path, options), statSync(path, options)])
        if (found) this.#known.add(identityOf(found))
  }

  has(stats: BigIntStats): boolean {
    return this.#known.size > 0 && this.#known.has(identityOf(stats))
  }
}

function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`
}
