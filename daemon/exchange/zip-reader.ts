import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fromRandomAccessReaderPromise, RandomAccessReader, type Entry, type ZipFile } from 'yauzl'
import { BadInput, messageOf, StagerdError, TooLarge } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { MANIFEST_FILE } from './manifest.js'
import { isResourceName } from './resource-names.js'

const CHUNK_BYTES = 256 * 1024
const MAX_ENTRIES = 10_000
const MAX_MANIFEST_BYTES = 32 * 1024 * 1024

/** The content of an exchange file. Valid until the file is closed. */
export interface ExchangeFile {
  /** As text. Undefined where the file has no manifest of stagerd. */
  readonly manifest: string | undefined
  readonly resources: ReadonlyMap<string, ZipResource>
}

export interface ZipResource {
  readonly name: string
  /** According to the directory of the ZIP file. The stream of `open` errors if it is wrong. */
  readonly length: number
  open(): Promise<Readable>
}

/**
 * Reads the directory of an untrusted ZIP file. Names are only compared; none becomes a path on a disk.
 *
 * Throws `BadInput` (`bad-exchange-file`) for anything but a ZIP file, and for duplicate, encrypted or overlapping
 * entries; `TooLarge` (`exchange-too-large`) for too many entries, or too long a manifest.
 */
export async function readExchangeFile(file: FileHandle, length: number): Promise<ExchangeFile> {
  return await orBad(async () => {
    const zip = await fromRandomAccessReaderPromise(new HandleReader(file), length, {
      autoClose: false,
      lazyEntries: true,
      strictFileNames: true,
      validateEntrySizes: true,
    })
    const entries = await entriesOf(zip, length)
    const manifest = entries.get(MANIFEST_FILE)
    if (manifest && manifest.uncompressedSize > MAX_MANIFEST_BYTES)
      throw new TooLarge('exchange-too-large', `${MANIFEST_FILE} has more than the 32 MiB that are allowed.`)
    const text = manifest && (await buffer(await zip.openReadStreamPromise(manifest))).toString('utf8')
    const resources = [...entries.values()].filter(({ fileName }) => isResourceName(fileName))
    return {
      manifest: text,
      resources: new Map(
        resources.map((entry) => [
          entry.fileName,
          { name: entry.fileName, length: entry.uncompressedSize, open: () => openEntry(zip, entry) },
        ]),
      ),
    }
  })
}

async function entriesOf(zip: ZipFile, length: number): Promise<Map<string, Entry>> {
  if (zip.entryCount > MAX_ENTRIES)
    throw new TooLarge('exchange-too-large', `The file has more than the ${MAX_ENTRIES} entries that are allowed.`)
  const entries = new Map<string, Entry>()
  let compressed = 0
  for await (const entry of zip.eachEntry()) {
    const { fileName } = entry
    if (entries.has(fileName)) throw bad(`it has ${quote(fileName)} twice`)
    if (entry.isEncrypted()) throw bad(`${quote(fileName)} is encrypted`)
    compressed += entry.compressedSize
    // Overlapping entries, as of a ZIP bomb, are together longer than the file.
    if (compressed > length) throw bad('its entries overlap')
    entries.set(fileName, entry)
  }
  return entries
}

async function openEntry(zip: ZipFile, entry: Entry): Promise<Readable> {
  const stream = await orBad(() => zip.openReadStreamPromise(entry))
  async function* content(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of stream) yield chunk as Buffer
    } catch (error) {
      throw asBad(error, entry.fileName)
    } finally {
      stream.destroy()
    }
  }
  return Readable.from(content(), { objectMode: false })
}

async function orBad<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asBad(error)
  }
}

function asBad(error: unknown, entry?: string): Error {
  if (error instanceof StagerdError) return error
  return bad(entry === undefined ? messageOf(error) : `${quote(entry)}: ${messageOf(error)}`, error)
}

function bad(why: string, cause?: unknown): BadInput {
  return new BadInput('bad-exchange-file', `The file is not a ZIP file of packages: ${why}.`, { cause })
}

/** Reads by position. The file belongs to the caller. */
class HandleReader extends RandomAccessReader {
  constructor(readonly file: FileHandle) {
    super()
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(rangeOf(this.file, start, end), { objectMode: false })
  }
}

/** Not `createReadStream`, which closes the descriptor when it is destroyed, even with `autoClose: false`. */
async function* rangeOf(file: FileHandle, start: number, end: number): AsyncGenerator<Buffer> {
  for (let position = start; position < end;) {
    const wanted = Math.min(CHUNK_BYTES, end - position)
    const { bytesRead, buffer: chunk } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, position)
    if (bytesRead === 0) throw new Error('it is truncated')
    position += bytesRead
    yield chunk.subarray(0, bytesRead)
  }
}
