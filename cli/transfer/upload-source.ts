import { realpath } from 'node:fs/promises'
import path from 'node:path'
import type { Package, UploadedResource } from '../../daemon/documents/package.js'
import type { StoredResource } from '../../daemon/documents/exchange.js'
import type { LackingSegments } from '../../daemon/documents/segments.js'
import { ApiProblem } from '../api/api-problem.js'
import { packagePath } from '../api/paths.js'
import { formatBytes, Progress } from '../display/progress.js'
import { elapsed } from '../display/time.js'
import { timed } from '../display/timed.js'
import { wholeArchive, type PackedDirectory } from '../pack/pack-directory.js'
import { digestOfSegments, SourceIndex, type KnownSource } from '../pack/source-index.js'
import type { Session } from '../session/session.js'
import { userDirectory } from '../session/user-directory.js'
import { packWithProgress } from './prepare-tarball.js'
import { compositionOf } from './composition.js'
import { trackProgress, upload } from './upload.js'

export interface SourceUpload {
  /** Absolute. */
  readonly directory: string
  /** Absolute paths of files that the archive does not contain, under any name. */
  readonly leaveOut: readonly string[]
  readonly namespace: string
  /** The package that is staged again, of which the daemon may have an earlier source. */
  readonly before: Package | undefined
}

type Stored = StoredResource | UploadedResource

/**
 * Uploads a source directory. Of one that was uploaded before, only what has changed since is read and sent. When this
 * returns, the daemon has stored the whole archive durably.
 */
export async function uploadSource(session: Session, source: SourceUpload): Promise<Stored> {
  const { directory, leaveOut, namespace, before } = source
  const cache = path.join(userDirectory('cache', session.io.env), 'uploads')
  const index = new SourceIndex(cache, await realpath(directory))
  const known = before && (await index.read())
  if (before && known && known.groups.size > 0) {
    const stored = await uploadChanges(session, { directory, leaveOut, before, known, index })
    if (stored) return stored
  }
  const began = performance.now()
  const packed = await packWithProgress(session, { directory, leaveOut, prefix: '' })
  const tarball = wholeArchive(packed)
  await session.output.note(`Packed ${formatBytes(packed.length)} in ${elapsed(performance.now() - began)}.`)
  const stored = await timed(session.output, 'Uploaded', () => upload(session, tarball, namespace))
  await remember(index, packed, stored)
  return stored
}

interface Changes extends Pick<SourceUpload, 'directory' | 'leaveOut'> {
  readonly before: Package
  readonly known: KnownSource
  readonly index: SourceIndex
}

/** Undefined when the daemon lacks more than what is known to have changed, or does not know how to do this. */
async function uploadChanges(session: Session, changes: Changes): Promise<Stored | undefined> {
  const { directory, leaveOut, known, index } = changes
  // Asked while the source is read.
  const stored = findStored(session, known)
  stored.catch(() => undefined)
  const began = performance.now()
  const packed = await packWithProgress(session, { directory, leaveOut, prefix: '', known: known.groups })
  try {
    const { read, all } = packed.files
    const files = `${read} of ${all} files`
    await session.output.note(`Read ${files} again in ${elapsed(performance.now() - began)}.`)
    const isUnchanged = known.archive?.segments === digestOfSegments(packed.segments)
    const same = isUnchanged ? await stored : undefined
    if (same && isKnown(packed, known)) {
      await index.touch()
      return same
    }
    const found = same ?? (await assemble(session, packed, changes.before))
    if (found) await remember(index, packed, found)
    return found
  } catch (error) {
    // Refusals by a quota or a limit are those of the whole source too; with everything else, it may succeed.
    if (error instanceof ApiProblem && /^(?:400|404|405|409|415)$/.test(String(error.status))) return undefined
    throw error
  } finally {
    await packed.dispose()
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
  const began = performance.now()
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
    await output.note(`Uploaded ${sizes} in ${elapsed(performance.now() - began)}.`)
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
