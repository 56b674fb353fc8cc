import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { runProcess } from '../../base/run-process.js'
import type { ArchiveLimits } from '../archive/limits.js'
import type { TreeEntry } from '../archive/tree.js'
import { unpackArchive } from '../archive/unpack.js'
import type { ResourceReader } from '../isolation.js'
import type { LayerSource, Removal } from '../launch-plan.js'
import { layerKey } from './layer-key.js'
import { type LayerRecord, writeRecord } from './layer-record.js'
import { layerTar } from './layer-tar.js'
import { syncDirectory } from './sync-directory.js'
import { markOpaque } from './opaque-directories.js'
import { decodeRemovalPath, encodeRemovalPath } from './removal-path.js'

/**
 * Make a layer of `source` in the empty directory `directory`:
 *
 *   directory/
 *   ├── tree/       what an overlay mounts, whiteouts and opaque directories included
 *   ├── paths       what the layer tar holds, in its order
 *   └── layer.json  written last
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
  const asked = removals.filter(({ removal }) => removal.kind === 'removed').map(({ path }) => path)
  const entries = await unpackArchive(archive, { directory: tree, limits, whiteouts: asked, signal })

  const kinds = new Map(entries.map((entry) => [entry.path, entry.kind]))
  const whiteouts = entries.filter(isWhiteout).map(({ path }) => path)
  const opaque = [...new Set(removals.filter((each) => isOpaque(each, kinds)).map(({ path }) => path))].sort()
  await markOpaque(tree, opaque, signal)

  const paths = entries.filter((entry) => !isWhiteout(entry)).map(({ path }) => path)
  // Onto the disk while the tar is made: both read the tree, neither changes it.
  const [digest] = await Promise.all([
    digestOf(layerTar({ tree, paths, whiteouts, opaque }, signal)),
    syncFilesystem(directory, signal),
  ])
  const record = {
    key: layerKey(source),
    ...digest,
    bytes: entries.reduce((total, entry) => total + (entry.kind === 'file' ? entry.size : 0), 0),
    whiteouts: whiteouts.map(encodeRemovalPath),
    opaque: opaque.map(encodeRemovalPath),
  }
  await writeRecord(directory, record, paths)
  await syncDirectory(directory)
  return record
}

/** The one kind of device that the validated tree can hold. */
function isWhiteout(entry: TreeEntry): boolean {
  return entry.kind === 'character-device'
}

function isOpaque(
  { removal, path }: { removal: Removal; path: string },
  kinds: ReadonlyMap<string, TreeEntry['kind']>,
): boolean {
  const kind = kinds.get(path)
  if (removal.kind === 'opaque' && kind === undefined)
    throw new BadInput(
      'bad-removal',
      `The removal of all that is below ${quote(removal.path)} is refused: the archive holds no such directory.`,
    )
  return kind === 'directory'
}

async function digestOf(tar: Readable): Promise<{ diffId: string; tarLength: number }> {
  const hash = createHash('sha256')
  let tarLength = 0
  for await (const chunk of tar) {
    hash.update(chunk as Buffer)
    tarLength += (chunk as Buffer).length
  }
  return { diffId: `sha256:${hash.digest('hex')}`, tarLength }
}

/** syncfs: one call for ten thousand files, where an fsync of each would wait for the disk ten thousand times. */
async function syncFilesystem(directory: string, signal: AbortSignal): Promise<void> {
  await runProcess('sync', ['--file-system', directory], { signal })
}
