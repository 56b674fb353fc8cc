import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { messageOf } from '../../../base/errors.js'
import { figures, type Figures } from './promises.js'

/** What a blob store offers to those who check it. */
interface Blobs {
  open(sha256: string): Promise<{ readonly stream: Readable }>
}

/** Counts a check that an acknowledged blob is there, byte for byte. Throws if it is not. */
export async function checkKept(what: string, blobs: Blobs, sha256: string, recorder: Figures = figures) {
  recorder.check('loss', what, await faultsOf(blobs, sha256))
}

async function faultsOf(blobs: Blobs, sha256: string): Promise<string[]> {
  try {
    const hash = createHash('sha256')
    const { stream } = await blobs.open(sha256)
    for await (const chunk of stream as AsyncIterable<Buffer>) hash.update(chunk)
    const found = hash.digest('hex')
    return found === sha256 ? [] : [`its digest is ${found} instead of ${sha256}`]
  } catch (error) {
    return [messageOf(error)]
  }
}

/** Counts a check that directories have no more than before. Throws if they have. */
export class NothingMore {
  private constructor(
    private readonly directories: readonly string[],
    private readonly before: ReadonlySet<string>,
    private readonly recorder: Figures,
  ) {}

  static async than(directories: readonly string[], recorder: Figures = figures): Promise<NothingMore> {
    return new NothingMore(directories, new Set(await namesIn(directories)), recorder)
  }

  async check(what: string): Promise<void> {
    const more = (await namesIn(this.directories)).filter((name) => !this.before.has(name))
    this.recorder.check('leftover', what, more)
  }
}

async function namesIn(directories: readonly string[]): Promise<string[]> {
  const all = await Promise.all(
    directories.map(async (path) => (await readdir(path, { recursive: true })).map((name) => `${path}/${name}`)),
  )
  return all.flat()
}
