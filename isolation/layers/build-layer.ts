import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { runProcess } from '../../base/run-process.js'
import { settleAll } from '../../base/settle-all.js'
import type { ArchiveLimits } from '../archive/limits.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { parentOf } from '../archive/names.js'
import { unpackArchive, type UnpackedTree } from '../archive/unpack.js'
import type { ResourceReader } from '../isolation.js'
import type { LayerSource, Removal } from '../launch-plan.js'
import { layerKey } from './layer-key.js'
import { writeList } from './layer-list.js'
import { type LayerRecord, writeRecord } from './layer-record.js'
import { takeSample } from './layer-sample.js'
import { markOpaque } from './opaque-directories.js'
import { decodeRemovalPath, encodeRemovalPath } from '../removal-path.js'

export interface LayerBuild {
  readonly resources: ResourceReader
  readonly limits: ArchiveLimits
  readonly owners: MappedOwners | undefined
}

/**
 * Builds the layer of `source` in the empty directory `directory`:
 *
 *   directory/
 *   ├── tree/       what an overlay mounts, with whiteouts and opaque directories
 *   ├── paths       the entries of the layer tar, in its order
 *   └── layer.json
 *
 * On return everything is durable except the name of `directory` itself. On failure the caller removes the content.
 *
 * INVARIANTS
 * - An entry of the archive hides what lower layers have at its path. A removal of the same path only makes a directory
 *   opaque.
 * - Removals do not change the mtime of a directory: it is that of the directory's entry.
 */
export async function buildLayer(
  directory: string,
  source: LayerSource,
  { resources, limits, owners }: LayerBuild,
  signal: AbortSignal,
): Promise<LayerRecord> {
  const removals = source.removals.map((removal) => ({ removal, path: decodeRemovalPath(removal) }))
  const tree = join(directory, 'tree')
  await mkdir(tree, { mode: 0o755 })
  const archive = await resources.open(source.sha256)
  const requested = whiteoutsOf(removals)
  const { paths, bytes, diskBytes } = await unpackArchive(archive, {
    directory: tree,
    limits,
    whiteouts: requested,
    owners,
    signal,
  })

  const opaque = [...new Set(removals.filter((each) => isOpaque(each, paths)).map(({ path }) => path))].sort()
  await markOpaque(tree, opaque, signal)
  const sampling = takeSample(tree, paths)
  await settleAll([sampling, writeList(directory, allExcept('whiteout', paths), signal)])
  const record = {
    key: layerKey(source, owners),
    bytes,
    diskBytes,
    whiteouts: [...new Set(requested)].filter((path) => paths.get(path) === 'whiteout').map(encodeRemovalPath),
    opaque: opaque.map(encodeRemovalPath),
    source: { sha256: source.sha256, removals: source.removals },
    sample: await sampling,
  }
  await writeRecord(directory, record)
  await syncFilesystem(directory, signal)
  return record
}

/**
 * Omits whiteouts below a directory that is removed as a whole: in an opaque directory overlayfs would list a whiteout as
 * an entry that does not exist.
 */
function whiteoutsOf(removals: readonly { removal: Removal; path: string }[]): string[] {
  const all = new Set(removals.map(({ path }) => path))
  const isImplied = (path: string): boolean => path !== '' && (all.has(path) || isImplied(parentOf(path)))
  return removals
    .filter(({ removal, path }) => removal.kind === 'removed' && !isImplied(parentOf(path)))
    .map(({ path }) => path)
}

function isOpaque({ removal, path }: { removal: Removal; path: string }, paths: UnpackedTree['paths']): boolean {
  const kind = paths.get(path)
  if (removal.kind === 'opaque' && kind === undefined)
    throw new BadInput(
      'bad-removal',
      `The removal of everything below ${quote(removal.path)} is refused: the archive has no such directory.`,
    )
  return kind === 'directory' || kind === 'implied'
}

function* allExcept(excluded: string, paths: UnpackedTree['paths']): Generator<string> {
  for (const [path, kind] of paths) if (kind !== excluded) yield path
}

/** One syncfs for ten thousand files is much faster than an fsync of each. */
async function syncFilesystem(directory: string, signal: AbortSignal): Promise<void> {
  await runProcess('sync', ['--file-system', directory], { signal })
}
