import type { Readable } from 'node:stream'
import { tellDevices } from '../archive/tree.js'
import type { SnapshotReport } from '../isolation.js'
import type { Compressor } from './compressor.js'
import { parseDirectory, position } from './directory-filter.js'
import { assertOwners, type Change, listChanges } from './list-changes.js'
import { LowerDirectories, UNKNOWN_LOWER } from './lower-layers.js'
import type { OverlayMarks } from './overlay-entry.js'
import { readOverlayMarks } from './overlay-marks.js'
import { NO_MARKS, planSnapshot } from './plan-snapshot.js'
import { compressedSnapshot } from './snapshot-tar.js'

export interface SnapshotRequest {
  /** Absolute path of the upper directory of an overlay. Nothing may write in it meanwhile: freeze the container first. */
  readonly upper: string
  /**
   * Absolute paths of the directories below it. With them only what was really there is recorded as removed; without
   * them a new directory may be recorded as one that replaces another, which over other layers would hide theirs.
   */
  readonly lower?: readonly string[]
  /** Only changes at or below this absolute path. */
  readonly directory: string | undefined
  /** Nothing at or below these absolute paths. */
  readonly exclude?: readonly string[]
  readonly compressor: Compressor
  readonly signal?: AbortSignal
}

export interface UpperReport<T> extends SnapshotReport<T> {
  /** Named pipes and devices, left out as well. */
  readonly special: number
}

/**
 * What an upper directory holds, as removals and as an archive for `write`, which must read it to its end. The same tree
 * gives the same bytes. What is kept and what is not: isolation/snapshot/plan-snapshot.ts.
 *
 * Rejects with `BadInput` (`bad-directory`, `reserved-name`, `bad-owner`), `Fault` (`overlay-redirect`,
 * `archive-failed`…), or with what `write` rejects with.
 */
export async function snapshotUpper<T>(
  { upper, lower, directory, exclude = [], compressor, signal }: SnapshotRequest,
  write: (archive: Readable) => Promise<T>,
): Promise<UpperReport<T>> {
  const filter = parseDirectory(directory)
  const excluded = exclude.map(parseDirectory)
  signal?.throwIfAborted()
  const listed = listChanges(upper, signal).then((changes) =>
    // What was removed there is not a change either: the layers below stay as they are.
    changes.filter(({ path }) => !excluded.some((one) => position(path, one) === 'within')),
  )
  const below = lower ? LowerDirectories.of(lower) : Promise.resolve(UNKNOWN_LOWER)
  // Which paths there are is known before what is removed, and before whether all of it can be read: so the archive is
  // on its way meanwhile, and fails with the rest if it should not have been.
  const planned = Promise.all([listed, below]).then(([entries, layers]) =>
    planSnapshot(entries, NO_MARKS, filter, layers),
  )
  const examined = planned.then(() => examine(upper, filter, listed, signal))
  const complete = Promise.all([listed, below, examined]).then(([entries, layers, marks]) =>
    planSnapshot(entries, marks, filter, layers),
  )
  complete.catch(() => undefined)
  let archive: Readable | undefined
  try {
    archive = await compressedSnapshot(upper, planned, compressor, signal)
    complete.catch((error: unknown) => archive?.destroy(error as Error))
    const written = await write(archive)
    const { removals, sockets, special, paths, furtherSymlinks } = await complete
    return { written, removals, sockets, special, entries: paths.length + furtherSymlinks.length }
  } finally {
    archive?.destroy()
    // The container must not move on while its files are looked at.
    await complete.catch(() => undefined)
  }
}

/** What takes longer than the names of a tree. One after the other: the archive's programs need the processors too. */
async function examine(
  upper: string,
  filter: string,
  listed: Promise<Change[]>,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, OverlayMarks>> {
  await tellDevices(upper, await listed)
  const marks = await readOverlayMarks(upper, signal)
  await assertOwners(upper, filter, signal)
  return marks
}
