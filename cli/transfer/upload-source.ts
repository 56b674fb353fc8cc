import { realpathSync } from 'node:fs'
import path from 'node:path'
import type { Package, UploadedResource } from '../../daemon/documents/package.js'
import type { StoredResource } from '../../daemon/documents/exchange.js'
import type { LackingSegments } from '../../daemon/documents/segments.js'
import { ApiProblem } from '../api/api-problem.js'
import { packagePath } from '../api/paths.js'
import { formatBytes, Progress } from '../display/progress.js'
import { elapsed, startClock } from '../display/time.js'
import { timed } from '../display/timed.js'
import { wholeArchive, type PackedDirectory } from '../pack/pack-directory.js'
import { digestOfSegments, SourceIndex, type KnownSource } from '../pack/source-index.js'
import type { Session } from '../session/session.js'
import { userDirectory } from '../session/user-directory.js'
import { packWithProgress } from './prepare-tarball.js'
import { compositionOf } from './composition.js'
import { trackProgress, upload } from './upload.js'

export interface SourceDirectory {
  /** Absolute. */
  readonly directory: string
  /** Absolute paths of files that the archive does not contain, under any name. */
  readonly leaveOut: readonly string[]
}

export interface SourceTarget {
  readonly namespace: string
  /** The package that is staged again, of which the daemon may have an earlier source. */
  readonly before: Package | undefined
}

type Stored = StoredResource | UploadedResource

/** A source that was uploaded before, as it is now. */
interface SourceReading {
  readonly known: KnownSource
  readonly packed: PackedDirectory
  /** In milliseconds. */
  readonly took: number
  /** Whether its archive is that which is known. */
  readonly isUnchanged: boolean
}

/**
 * The upload of a source directory. Of one that was uploaded before, only what has changed since is read and sent; the
 * reading begins at once, while the daemon is asked where the source belongs. The owner calls `close`.
 */
export class SourceUpload {
  readonly #index: SourceIndex
  readonly #reading: Promise<SourceReading | undefined>
  readonly #closed = new AbortController()
  #told = false

  constructor(
    private readonly session: Session,
    private readonly source: SourceDirectory,
  ) {
    const cache = path.join(userDirectory('cache', session.io.env), 'uploads')
    this.#index = new SourceIndex(cache, realpathSync(source.directory))
    this.#reading = this.#begin()
    // Whoever waits for it gets the error.
    this.#reading.catch(() => undefined)
  }

  /** SHA-256 of the archive if the source is as it was uploaded before. The daemon may have removed that since. */
  async unchanged(): Promise<string | undefined> {
    const reading = await this.#read()
    return reading?.isUnchanged === true ? reading.known.archive?.sha256 : undefined
  }

  /** When this returns, the daemon has stored the whole archive durably. */
  async upload({ namespace, before }: SourceTarget): Promise<Stored> {
    const stored = before && (await this.#uploadChanges(before))
    await this.close()
    return stored ?? (await this.#uploadAll(namespace))
  }

  /** Resolves when nothing of the source is read any more. Idempotent. */
  async close(): Promise<void> {
    this.#closed.abort()
    const reading = await this.#reading.catch(() => undefined)
    await reading?.packed.dispose()
  }

  /** The reading when it has ended, of which the user is told once. */
  async #read(): Promise<SourceReading | undefined> {
    const reading = await this.#reading
    if (!reading || this.#told) return reading
    this.#told = true
    const { read, all } = reading.packed.files
    await this.session.output.note(`Read ${read} of ${all} files again in ${elapsed(reading.took)}.`)
    return reading
  }

  /** Undefined for a source of which nothing is known. */
  async #begin(): Promise<SourceReading | undefined> {
    const known = this.#index.read()
    if (known.groups.size === 0) return undefined
    const clock = startClock()
    const { signal } = this.#closed
    const packed = await packWithProgress(this.session, { ...this.source, prefix: '', known: known.groups, signal })
    const took = clock()
    const isUnchanged = known.archive?.segments === digestOfSegments(packed.segments)
    if (isUnchanged) await this.#keep(packed, known)
    return { known, packed, took, isUnchanged }
  }

  /** What is known stays, as the latest that was used. Files with other times may have the same content. */
  async #keep(packed: PackedDirectory, known: KnownSource): Promise<void> {
    if (isKnown(packed, known)) this.#index.touch()
    else await this.#index.write({ groups: packed.groups, archive: known.archive })
  }

  /** Undefined when the daemon lacks more than what is known to have changed, or does not know how to do this. */
  async #uploadChanges(before: Package): Promise<Stored | undefined> {
    const reading = await this.#read()
    if (!reading) return undefined
    const { known, packed, isUnchanged } = reading
    try {
      const same = isUnchanged ? await findStored(this.session, known) : undefined
      if (same) return same
      const assembled = await assemble(this.session, packed, before)
      if (assembled) await remember(this.#index, packed, assembled)
      return assembled
    } catch (error) {
      // Refusals by a quota or a limit are those of the whole source too; with everything else, it may succeed.
      if (error instanceof ApiProblem && /^(?:400|404|405|409|415)$/.test(String(error.status))) return undefined
      throw error
    }
  }

  async #uploadAll(namespace: string): Promise<Stored> {
    const { session, source } = this
    const took = startClock()
    const packed = await packWithProgress(session, { ...source, prefix: '' })
    const tarball = wholeArchive(packed)
    await session.output.note(`Packed ${formatBytes(packed.length)} in ${elapsed(took())}.`)
    const stored = await timed(session.output, 'Uploaded', () => upload(session, tarball, namespace))
    await remember(this.#index, packed, stored)
    return stored
  }
}

/** Undefined when the daemon does not have the archive that is known. */
async function findStored({ api, signal }: Session, { archive }: KnownSource): Promise<StoredResource | undefined> {
  if (!archive) return undefined
  const found = await api.find<StoredResource>(`/v1/resources/${archive.sha256}`, { signal })
  return found?.length === archive.length ? found : undefined
}

async function assemble(session: Session, packed: PackedDirectory, before: Package): Promise<Stored | undefined> {
  const { api, output, signal } = session
  const took = startClock()
  const source = `${packagePath(before.uuid)}/source`
  const digests = packed.segments.map(({ sha256 }) => sha256)
  const { lacking } = await api.post<LackingSegments>(`${source}/lacking`, { segments: digests }, { signal })
  const composition = compositionOf(packed, new Set(lacking))
  if (!composition) return undefined
  const progress = new Progress(output, 'Uploading', composition.length)
  try {
    const chunks = trackProgress(composition.chunks(), progress)
    const stored = await api.upload<UploadedResource>(source, { length: composition.length, chunks }, { signal })
    const sizes = `${formatBytes(composition.length)} of ${formatBytes(stored.length)}`
    await output.note(`Uploaded ${sizes} in ${elapsed(took())}.`)
    return stored
  } finally {
    progress.stop()
  }
}

/** Whether the index would be written as it is. */
function isKnown({ groups }: PackedDirectory, known: KnownSource): boolean {
  return groups.size === known.groups.size && [...groups.keys()].every((key) => known.groups.has(key))
}

async function remember(index: SourceIndex, { groups, segments }: PackedDirectory, stored: Stored): Promise<void> {
  const { sha256, length } = stored
  await index.write({ groups, archive: { segments: digestOfSegments(segments), sha256, length } })
}
