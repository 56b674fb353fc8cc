import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { runProcess } from '../../base/run-process.js'
import type { ArchiveLimits } from '../archive/limits.js'
import { parentOf } from '../archive/names.js'
import { unpackArchive, type UnpackedTree } from '../archive/unpack.js'
import type { ResourceReader } from '../isolation.js'
import type { LayerSource, Removal } from '../launch-plan.js'
import { layerKey } from './layer-key.js'
import { writeList } from './layer-list.js'
import { type LayerRecord, writeRecord } from './layer-record.js'
import { markOpaque } from './opaque-directories.js'
import { decodeRemovalPath, encodeRemovalPath } from '../removal-path.js'

/**
 * Make a layer of `source` in the empty directory `directory`:
 *
 *   directory/
 *   ├── tree/       what an overlay mounts, whiteouts and opaque directories included
 *   ├── paths       what the layer tar holds, in its order
 *   └── layer.json
 *
 * On return all of it is durable but for the directory's own name. On failure what is there is rubbish.
 *
 * LAWS
 * - What the archive holds at a path hides whatever lower layers have there; a removal of the same path then adds that a
 *   directory is opaque, and nothing else.
 * - Removals change no time: a directory's time is that of its entry.
 */
export async function buildLayer(
  directory: string,
  source: LayerSource,
  { resources, limits }: { readonly resources: ResourceReader; readonly limits: ArchiveLimits },
  signal: AbortSignal,
): Promise<LayerRecord> {
  const removals = source.removals.map((removal) => ({ removal, path: decodeRemovalPath(removal) }))
  const tree = join(directory, 'tree')
  await mkdir(tree, { mode: 0o755 })
  const archive = await resources.open(source.sha256)
  const asked = whiteoutsOf(removals)
  const { paths, bytes, diskBytes } = await unpackArchive(archive, {
    directory: tree,
    limits,
    whiteouts: asked,
    signal,
  })

  const opaque = [...new Set(removals.filter((each) => isOpaque(each, paths)).map(({ path }) => path))].sort()
  await markOpaque(tree, opaque, signal)
  await writeList(directory, allBut('whiteout', paths), signal)
  const record = {
    key: layerKey(source),
    bytes,
    diskBytes,
    whiteouts: [...new Set(asked)].filter((path) => paths.get(path) === 'whiteout').map(encodeRemovalPath),
    opaque: opaque.map(encodeRemovalPath),
  }
  await writeRecord(directory, record)
  await syncFilesystem(directory, signal)
  return record
}

/**
 * But for those in what is removed as a whole: overlayfs would list a whiteout in an opaque directory as the name of
 * something that is not there.
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
      `The removal of all that is below ${quote(removal.path)} is refused: the archive holds no such directory.`,
    )
  return kind === 'directory' || kind === 'implied'
}

function* allBut(left: string, paths: UnpackedTree['paths']): Generator<string> {
  for (const [path, kind] of paths) if (kind !== left) yield path
}

/** syncfs: one call for ten thousand files, where an fsync of each would wait for the disk ten thousand times. */
async function syncFilesystem(directory: string, signal: AbortSignal): Promise<void> {
  await runProcess('sync', ['--file-system', directory], { signal })
}
