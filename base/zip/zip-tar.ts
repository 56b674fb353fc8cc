import { openPromise, type Entry, type ZipFile } from 'yauzl'
import { BadInput, messageOf, StagerdError, TooLarge } from '../errors.js'
import { quote } from '../fqn.js'
import { END_OF_ARCHIVE, tarEntry } from '../tar-blocks.js'
import { bytePath } from '../byte-path.js'
import { crc32 } from '../crc32.js'
import { RUNNER } from '../runner.js'
import { TarChunks } from '../tar-chunks.js'
import { hasForeignName, zipMemberOf } from './zip-entry.js'

/** The limits of the daemon for an archive. A bomb ends here, before it fills the disk of the client. */
const MAX_ENTRIES = 1_000_000
const MAX_BYTES = 16 * 1024 ** 3
const LONGEST_TARGET = 4095

export interface ZipTarRequest {
  readonly file: string
  /** Size of the file, in bytes. */
  readonly length: number
  /** Told of what a package cannot contain; paths are bytes as latin1. */
  readonly leftOut: { add(reason: 'socket' | 'special', path: string): void }
  /** Called once if a name is in the character set of DOS. */
  readonly onForeignName: (name: string) => void
  readonly onBytes?: ((count: number) => void) | undefined
}

/**
 * The tar of the entries of a zip, in their order. Nothing is unpacked here: the daemon receives a tar, and checks and
 * unpacks it as it does every archive. The permissions and symbolic links of zips made on Unix are kept.
 *
 * Throws `BadInput` (`bad-zip`, `nothing-to-pack`), `TooLarge` (`archive-too-large`).
 */
export async function* zipTar(request: ZipTarRequest): AsyncGenerator<Buffer> {
  const zip = await orBadZip(undefined, () =>
    openPromise(request.file, { autoClose: false, lazyEntries: true, decodeStrings: false, validateEntrySizes: true }),
  )
  try {
    const converter = new ZipConverter(zip, request)
    for await (const chunk of converter.chunks()) {
      request.onBytes?.(chunk.length)
      yield chunk
    }
  } finally {
    zip.close()
  }
}

class ZipConverter {
  readonly #chunks = new TarChunks()
  readonly #paths = new Set<string>()
  #compressed = 0
  #bytes = 0
  #isEmpty = true
  #hasForeignName = false

  constructor(
    private readonly zip: ZipFile,
    private readonly request: ZipTarRequest,
  ) {}

  async *chunks(): AsyncGenerator<Buffer> {
    const entries = this.zip.eachEntry()
    for (;;) {
      const next = await orBadZip(undefined, () => entries.next())
      if (next.done === true) break
      yield* this.#member(next.value)
      yield* this.#chunks.take()
    }
    if (this.#isEmpty) throw new BadInput('nothing-to-pack', 'The zip has no entry that can be packed.')
    this.#chunks.add(END_OF_ARCHIVE)
    yield* this.#chunks.takeAll()
  }

  async *#member(entry: Entry): AsyncGenerator<Buffer> {
    const { path, kind, mode, time } = zipMemberOf(entry)
    if (path === '') return
    this.#count(entry, path)
    if (kind === 'socket' || kind === 'special') {
      this.request.leftOut.add(kind, bytePath(path))
      return
    }
    this.#isEmpty = false
    const common = { path: bytePath(path), mode, owner: RUNNER, time }
    if (kind === 'directory') this.#chunks.add(tarEntry({ ...common, kind }))
    else if (kind === 'symlink') {
      const target = await this.#targetOf(entry, path)
      this.#chunks.add(tarEntry({ ...common, kind, target, mode: 0o777 }))
    } else {
      this.#chunks.add(tarEntry({ ...common, kind, size: entry.uncompressedSize }))
      for await (const chunk of this.#contentOf(entry, path)) {
        this.#chunks.add(chunk)
        yield* this.#chunks.take()
      }
      this.#chunks.pad()
    }
  }

  #count(entry: Entry, path: string): void {
    if (this.#paths.has(path)) throw badZip(`it has ${quote(path)} twice`)
    this.#paths.add(path)
    this.#compressed += entry.compressedSize
    this.#bytes += entry.uncompressedSize
    // Overlapping entries, as of a bomb, are together longer than the file.
    if (this.#compressed > this.request.length) throw badZip('its entries overlap')
    if (this.#bytes > MAX_BYTES)
      throw new TooLarge('archive-too-large', `The files of the zip have more than ${MAX_BYTES} bytes in total.`)
    if (this.#paths.size > MAX_ENTRIES)
      throw new TooLarge('archive-too-large', `The zip has more than ${MAX_ENTRIES} entries.`)
    if (hasForeignName(entry) && !this.#hasForeignName) {
      this.#hasForeignName = true
      this.request.onForeignName(path)
    }
  }

  async #targetOf(entry: Entry, path: string): Promise<string> {
    if (entry.uncompressedSize > LONGEST_TARGET)
      throw badZip(`the target of the symbolic link ${quote(path)} is longer than ${LONGEST_TARGET} bytes`)
    const parts: Buffer[] = []
    for await (const chunk of this.#contentOf(entry, path)) parts.push(chunk)
    return Buffer.concat(parts).toString('latin1')
  }

  async *#contentOf(entry: Entry, path: string): AsyncGenerator<Buffer> {
    const stream = await orBadZip(path, () => this.zip.openReadStreamPromise(entry))
    let checksum = 0
    try {
      const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
      for (;;) {
        const next = await orBadZip(path, () => chunks.next())
        if (next.done === true) break
        checksum = crc32(next.value, checksum)
        yield next.value
      }
    } finally {
      stream.destroy()
    }
    if (checksum !== entry.crc32) throw badZip(`${quote(path)} is damaged`)
  }
}

/** Runs a step of the library. Its errors are about the file, in terms of the format. */
async function orBadZip<T>(path: string | undefined, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    if (error instanceof StagerdError) throw error
    throw badZip(path === undefined ? faultOf(messageOf(error)) : `${quote(path)} is damaged`, error)
  }
}

function faultOf(message: string): string {
  if (/encrypt/i.test(message)) return 'it is encrypted'
  if (/multi-disk/i.test(message)) return 'it is one part of several'
  return 'it is damaged or not complete'
}

function badZip(why: string, cause?: unknown): BadInput {
  return new BadInput('bad-zip', `The zip cannot be taken, because ${why}: pack it again, or give the directory.`, {
    cause,
  })
}
