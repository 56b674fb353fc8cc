import { createHash, randomUUID } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync, utimesSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { versions } from 'node:process'
import type { Flushed, Segment } from './segment-spool.js'

/** What is known of a source since it was uploaded last. */
export interface KnownSource {
  /** By the keys of its groups. */
  readonly groups: ReadonlyMap<string, Flushed>
  /** The archive that the daemon has of it. */
  readonly archive: KnownArchive | undefined
}

export interface KnownArchive extends Segment {
  /** A digest of its segments. */
  readonly segments: string
}

export const NOTHING_KNOWN: KnownSource = { groups: new Map(), archive: undefined }

/** The format of the file, and what else decides on the bytes of an archive. */
const FORMAT = `1 zlib ${versions.zlib}`

/** A source that was not uploaded for long makes room for others. */
const MOST_FILES = 100

/**
 * One file for each source directory, in a cache directory. It saves reading files again, and nothing depends on it:
 * what is missing, damaged, of another user or of another version counts as unknown, and a file that cannot be written is
 * not.
 */
export class SourceIndex {
  readonly #file: string

  /**
   * @param directory of the cache
   * @param source the real path of the source
   */
  constructor(
    private readonly directory: string,
    private readonly source: string,
  ) {
    this.#file = path.join(directory, createHash('sha256').update(source).digest('hex'))
  }

  /** At once: see `Session.open`. */
  read(): KnownSource {
    try {
      const file = openSync(this.#file, constants.O_RDONLY | constants.O_NOFOLLOW)
      try {
        if (fstatSync(file).uid !== process.geteuid?.()) return NOTHING_KNOWN
        return parse(readFileSync(file, 'utf8'), this.source) ?? NOTHING_KNOWN
      } finally {
        closeSync(file)
      }
    } catch {
      return NOTHING_KNOWN
    }
  }

  async write(known: KnownSource): Promise<void> {
    const temporary = `${this.#file}.${randomUUID()}`
    try {
      await mkdir(this.directory, { recursive: true, mode: 0o700 })
      await writeFile(temporary, format(known, this.source), { flag: 'wx', mode: 0o600 })
      await rename(temporary, this.#file)
      await this.#makeRoom()
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined)
    }
  }

  /** Keeps what is written, as the latest that was used. */
  touch(): void {
    const now = new Date()
    try {
      utimesSync(this.#file, now, now)
    } catch {
      // It is written again when it is needed.
    }
  }

  async #makeRoom(): Promise<void> {
    const names = await readdir(this.directory)
    if (names.length <= MOST_FILES) return
    const files = names.map((name) => path.join(this.directory, name))
    const aged = await Promise.all(files.map(async (file) => ({ file, time: (await stat(file)).mtimeMs })))
    aged.sort((one, other) => one.time - other.time)
    for (const { file } of aged.slice(0, -MOST_FILES)) await rm(file, { force: true })
  }
}

export function digestOfSegments(segments: readonly Segment[]): string {
  const hash = createHash('sha256')
  for (const { sha256 } of segments) hash.update(sha256)
  return hash.digest('hex')
}

/** The first line is a digest of the rest, so that damage is noticed. */
function format({ groups, archive }: KnownSource, source: string): string {
  const text = JSON.stringify({ format: FORMAT, source, groups: [...groups], archive })
  return `${digestOf(text)}\n${text}`
}

function parse(content: string, source: string): KnownSource | undefined {
  const text = content.slice(65)
  if (content.slice(0, 65) !== `${digestOf(text)}\n`) return undefined
  const document = JSON.parse(text) as {
    readonly format: string
    readonly source: string
    readonly groups: [string, Flushed][]
    readonly archive: KnownArchive | undefined
  }
  if (document.format !== FORMAT || document.source !== source) return undefined
  return { groups: new Map(document.groups), archive: document.archive }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
