import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { errnoOf, Refused } from '../../base/errors.js'
import { fileError } from '../../base/file-error.js'
import type { Io } from '../terminal/io.js'
import { meter } from '../pack/meter.js'
import { remedyOf, userDirectory } from '../session/user-directory.js'
import type { SourceStream } from './open-source.js'

/** The digests that the script gives for a source. Without any, the source is accepted unverified. */
export interface ExpectedDigests {
  readonly sha256?: string | undefined
  readonly sha1?: string | undefined
}

/**
 * A cache of build script sources by digest, in `$XDG_CACHE_HOME/stagectl/sources`.
 *
 * INVARIANT: a file gets its final name only when it is complete and verified. Each use verifies it again, because
 * other processes of the user can write to the cache.
 */
export class SourceCache {
  readonly #directory: string

  constructor(env: Io['env']) {
    this.#directory = path.join(userDirectory('cache', env), 'sources')
  }

  /** The path of a cached source, if it exists and has the expected digests. */
  async find(expected: ExpectedDigests, signal: AbortSignal): Promise<string | undefined> {
    const [kind, digest] = expected.sha256 ? (['sha256', expected.sha256] as const) : (['sha1', expected.sha1] as const)
    if (digest === undefined) return undefined
    const file = path.join(this.#directory, `${kind}-${digest}`)
    const hashes = new Hashes()
    try {
      for await (const chunk of createReadStream(file, { signal }) as AsyncIterable<Buffer>) hashes.update(chunk)
    } catch (error) {
      signal.throwIfAborted()
      if (errnoOf(error) === 'ENOENT') return undefined
      throw fileError(error, { file, remedy: remedyOf('cache') })
    }
    return hashes.mismatch(expected) === undefined ? file : undefined
  }

  async #makeDirectory(): Promise<void> {
    try {
      await mkdir(this.#directory, { recursive: true })
    } catch (error) {
      throw fileError(error, { remedy: remedyOf('cache') })
    }
  }

  /**
   * Writes a source to the cache and returns its path. Throws `Refused` (`wrong-digest`) when the digests do not match;
   * nothing is kept then.
   */
  async add(
    source: SourceStream,
    url: string,
    expected: ExpectedDigests,
    onBytes: (count: number) => void,
    signal: AbortSignal,
  ): Promise<string> {
    await this.#makeDirectory()
    const temporary = path.join(this.#directory, `.part-${randomUUID()}`)
    const hashes = new Hashes()
    try {
      const handle = await open(temporary, 'wx').catch((error: unknown) => {
        throw fileError(error, { file: this.#directory, remedy: remedyOf('cache') })
      })
      try {
        const metered = meter((chunk) => {
          hashes.update(chunk)
          onBytes(chunk.length)
        })
        await pipeline(source.body, metered, handle.createWriteStream({ flush: true }), { signal })
      } finally {
        await handle.close().catch(() => undefined)
      }
      const mismatch = hashes.mismatch(expected)
      if (mismatch !== undefined) throw new Refused('wrong-digest', `${url} ${mismatch}`)
      const { sha256, sha1 } = hashes.digests()
      const name = expected.sha256 === undefined && expected.sha1 !== undefined ? `sha1-${sha1}` : `sha256-${sha256}`
      const file = path.join(this.#directory, name)
      await rename(temporary, file)
      return file
    } finally {
      await rm(temporary, { force: true })
    }
  }
}

class Hashes {
  readonly #sha256 = createHash('sha256')
  readonly #sha1 = createHash('sha1')
  #digests: { readonly sha256: string; readonly sha1: string } | undefined

  update(chunk: Uint8Array): void {
    this.#sha256.update(chunk)
    this.#sha1.update(chunk)
  }

  digests(): { readonly sha256: string; readonly sha1: string } {
    return (this.#digests ??= { sha256: this.#sha256.digest('hex'), sha1: this.#sha1.digest('hex') })
  }

  mismatch(expected: ExpectedDigests): string | undefined {
    for (const kind of ['sha256', 'sha1'] as const) {
      const [wanted, found] = [expected[kind], this.digests()[kind]]
      if (wanted !== undefined && wanted !== found)
        return `has the ${kind} ${found}, but the script expects ${wanted}: find out which one is right.`
    }
    return undefined
  }
}
