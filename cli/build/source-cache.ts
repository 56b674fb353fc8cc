import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { errnoOf, Refused } from '../../base/errors.js'
import type { Io } from '../terminal/io.js'
import { meter } from '../pack/meter.js'
import type { OpenSource } from './open-source.js'

/** What a source must be. With neither, whatever comes is taken. */
export interface ExpectedDigests {
  readonly sha256?: string | undefined
  readonly sha1?: string | undefined
}

/**
 * Sources of build scripts by their digests, in `$XDG_CACHE_HOME/stagectl/sources`.
 *
 * INVARIANT: a file appears under its name whole and checked. It is checked again each time it is used, because a cache
 * is not a place that anybody guards.
 */
export class SourceCache {
  readonly #directory: string

  constructor(env: Io['env']) {
    const xdg = env['XDG_CACHE_HOME'] ?? ''
    const base = path.isAbsolute(xdg) ? xdg : path.join(env['HOME'] ?? homedir(), '.cache')
    this.#directory = path.join(base, 'stagectl', 'sources')
  }

  /** The file, if it is there and is what it should be. */
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
      throw error
    }
    return hashes.mismatch(expected) === undefined ? file : undefined
  }

  /**
   * Keeps what `source` brings. Throws `Refused` (`wrong-digest`) when it is something else than was expected; then
   * nothing of it is kept.
   */
  async add(
    source: OpenSource,
    url: string,
    expected: ExpectedDigests,
    onBytes: (count: number) => void,
    signal: AbortSignal,
  ): Promise<string> {
    await mkdir(this.#directory, { recursive: true })
    const temporary = path.join(this.#directory, `.part-${randomUUID()}`)
    const hashes = new Hashes()
    try {
      const handle = await open(temporary, 'wx')
      try {
        const counted = meter((chunk) => {
          hashes.update(chunk)
          onBytes(chunk.length)
        })
        await pipeline(source.body, counted, handle.createWriteStream({ flush: true }), { signal })
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
        return `has the ${kind} ${found}, and the script wants ${wanted}: find out which of the two is right.`
    }
    return undefined
  }
}
