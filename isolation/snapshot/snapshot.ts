import type { Readable } from 'node:stream'
import { listTree } from '../archive/tree.js'
import type { SnapshotReport } from '../isolation.js'
import type { Compressor } from './compressor.js'
import { parseDirectory } from './directory-filter.js'
import { LowerDirectories, UNKNOWN_LOWER } from './lower-layers.js'
import { readOverlayMarks } from './overlay-marks.js'
import { planSnapshot } from './plan-snapshot.js'
import { snapshotTar } from './snapshot-tar.js'

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
  { upper, lower, directory, compressor, signal }: SnapshotRequest,
  write: (archive: Readable) => Promise<T>,
): Promise<UpperReport<T>> {
  const filter = parseDirectory(directory)
  signal?.throwIfAborted()
  const [entries, marks] = await Promise.all([listTree(upper, signal), readOverlayMarks(upper, signal)])
  const plan = planSnapshot(entries, marks, filter, lower ? await LowerDirectories.of(lower) : UNKNOWN_LOWER)
  const archive = compressor.compress(snapshotTar(upper, plan, signal), signal)
  try {
    const written = await write(archive)
    const { removals, sockets, special } = plan
    return { written, removals, sockets, special, entries: plan.paths.length + plan.furtherSymlinks.length }
  } finally {
    archive.destroy()
  }
}
