import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { BadInput, Conflict, TooLarge } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { CompositionReader } from './composition-reader.js'
import type { Extent, SegmentBase } from './segment-tables.js'

/** In bytes. A client compresses 256 KiB at a time, which grows by a few bytes at most. */
const LONGEST_SEGMENT = 1024 * 1024

const CHUNK = 512 * 1024

/** Gets each segment of what is assembled, in order, before it is passed on. */
export type OnSegment = (digest: string, length: number, bytes: () => Promise<Buffer>) => Promise<void>

/**
 * The archive that a composition describes: for each segment, in order, the line `have DIGEST`, or `data DIGEST LENGTH` and
 * that many bytes. Every segment that is sent is compared with its digest before any of it is passed on. Whether the whole
 * is an archive is for the ingest to say, as for any upload.
 *
 * Throws `BadInput` (`bad-composition`, `digest-mismatch`), `TooLarge` (`segment-too-large`), `Conflict` (`segment-unknown`).
 */
export async function* assembleSource(
  composition: AsyncIterable<Buffer>,
  base: SegmentBase | undefined,
  onSegment: OnSegment,
): AsyncGenerator<Buffer> {
  const reader = new CompositionReader(composition)
  /** Neighbours are copied together. */
  let run: Extent | undefined
  for (let line = await reader.line(); line !== undefined; line = await reader.line()) {
    const { digest, length } = parseLine(line)
    if (length === undefined) {
      const found = base?.table.get(digest)
      if (!base || !found)
        throw new Conflict(
          'segment-unknown',
          `No earlier source of the package has the segment ${digest}: ask which ones are lacking, and send those.`,
        )
      await onSegment(digest, found.length, () => read(base.file, found))
      if (run && run.offset + run.length === found.offset) {
        run = { offset: run.offset, length: run.length + found.length }
        continue
      }
      if (run) yield* copy(base.file, run)
      run = found
      continue
    }
    if (run && base) yield* copy(base.file, run)
    run = undefined
    const bytes = await sent(reader, digest, length)
    await onSegment(digest, length, () => Promise.resolve(bytes))
    yield bytes
  }
  if (run && base) yield* copy(base.file, run)
}

/** Without a length, the segment is one that the daemon has. */
function parseLine(line: string): { readonly digest: string; readonly length: number | undefined } {
  const [, had, sent, length] = /^(?:have ([0-9a-f]{64})|data ([0-9a-f]{64}) ([0-9]{1,9}))$/.exec(line) ?? []
  if (had !== undefined) return { digest: had, length: undefined }
  if (sent !== undefined) return { digest: sent, length: Number(length) }
  throw new BadInput(
    'bad-composition',
    `${quote(line)} is no line of a composition: it must be \`have DIGEST\` or \`data DIGEST LENGTH\`.`,
  )
}

async function sent(reader: CompositionReader, digest: string, length: number): Promise<Buffer> {
  if (length > LONGEST_SEGMENT)
    throw new TooLarge(
      'segment-too-large',
      `A segment has ${length} bytes: it must not have more than ${LONGEST_SEGMENT}.`,
    )
  const bytes = await reader.bytes(length)
  const found = createHash('sha256').update(bytes).digest('hex')
  if (found !== digest)
    throw new BadInput(
      'digest-mismatch',
      `The sha256 of a segment is ${found}, where ${digest} was announced: it was changed on the way.`,
    )
  return bytes
}

async function read(file: FileHandle, extent: Extent): Promise<Buffer> {
  // Only a source that no client has packed has longer ones.
  if (extent.length > LONGEST_SEGMENT) throw new RangeError(`a segment has ${extent.length} bytes`)
  const chunks: Buffer[] = []
  for await (const chunk of copy(file, extent)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* copy(file: FileHandle, { offset, length }: Extent): AsyncGenerator<Buffer> {
  for (let done = 0; done < length;) {
    const wanted = Math.min(CHUNK, length - done)
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, offset + done)
    if (bytesRead === 0)
      throw new Conflict('segment-unknown', 'An earlier source is too short: upload the whole source.')
    done += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
