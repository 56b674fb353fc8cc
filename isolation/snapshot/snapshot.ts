import type { Readable } from 'node:stream'
import type { SnapshotReport } from '../isolation.js'
import { assertUnpackable } from './assert-unpackable.js'
import type { Compressor } from '../archive/compressor.js'
import { INJECTED } from './engine-files.js'
import { LowerDirectories, UNKNOWN_LOWER } from './lower-layers.js'
import { readOverlayMarks } from './overlay-marks.js'
import { PathSpool } from './path-spool.js'
import { SnapshotPlanner } from './snapshot-planner.js'
import { SnapshotScope } from './snapshot-scope.js'
import { compressedSnapshot } from './snapshot-tar.js'
import { TimeSlice } from './time-slice.js'
import { walkUpper } from './walk-upper.js'

export interface SnapshotRequest {
  /** Absolute path of the upper directory of an overlay. */
  readonly upper: string
  /**
   * Called once. Resolves when nothing writes in the tree any more, and nothing may until `onRead`: freeze the container.
   * Programs are started meanwhile. Tells absolute paths of what is nobody's change, to be left out as `exclude` is.
   * Not given where nobody writes there anyway.
   */
  readonly untilStandstill?: () => Promise<readonly string[]>
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
  /** Told when nothing of the tree is read any more, which is before the archive is written; not told after a failure. */
  readonly onRead?: () => void
  readonly signal?: AbortSignal
}

/** An archive without entries is taken for a broken one: this stands for a snapshot in which nothing was added. */
const NOTHING_BUT_THE_ROOT = '.'

/**
 * What an upper directory holds, as removals and as an archive for `write`, which must read it to its end. The same tree
 * gives the same bytes. What is kept and what is not: isolation/snapshot/snapshot-planner.ts.
 *
 *   standstill ── walk ─┬─ tar ── compressor ── write ─┐
 *                       ├─ marks of directories ───────┼─ report
 *                       └─ owners ─────────────────────┘
 *
 * Rejects with `BadInput` (`bad-directory`, `reserved-name`, `bad-owner`, `path-too-long`), `TooLarge`
 * (`snapshot-too-large`), `Fault` (`overlay-redirect`, `archive-failed`…), or with what `write` rejects with.
 */
export async function snapshotUpper<T>(
  request: SnapshotRequest,
  write: (archive: Readable) => Promise<T>,
): Promise<SnapshotReport<T>> {
  const { upper, lower, directory, exclude, untilStandstill, compressor, onRead, signal } = request
  const asked = SnapshotScope.of(directory, exclude)
  signal?.throwIfAborted()
  const entries = new PathSpool()
  const directories = new PathSpool()

  const plan = async (): Promise<SnapshotPlanner> => {
    const scope = untilStandstill ? asked.without(await untilStandstill()) : asked
    const planner = new SnapshotPlanner(scope, lower ? await LowerDirectories.of(lower) : UNKNOWN_LOWER, {
      add: (path, kind) => {
        entries.add(path)
        if (kind === 'directory') directories.add(path)
      },
    })
    const needsStats = (path: string) => INJECTED.has(path)
    await walkUpper(upper, { visit: (change) => planner.take(change), needsStats, signal })
    if (entries.count === 0) entries.add(NOTHING_BUT_THE_ROOT)
    entries.end()
    directories.end()
    return planner
  }
  // What takes longer than the names of a tree: the archive is on its way meanwhile, and fails if this does.
  const examine = async (planner: SnapshotPlanner): Promise<SnapshotPlanner> => {
    const stretch = new TimeSlice(signal)
    for await (const { path, marks } of readOverlayMarks(upper, directories.read(), signal)) {
      planner.mark(path, marks)
      if (stretch.isOver) await stretch.yield()
    }
    await assertUnpackable(upper, planner.scope, signal)
    return planner
  }

  const planned = plan()
  const examined = planned.then(examine)
  let tarHasRead = (): void => undefined
  const archived = new Promise<void>((resolve) => (tarHasRead = resolve))
  Promise.all([examined, archived]).then(onRead, () => undefined)
  let archive: Readable | undefined
  try {
    const furtherSymlinks = planned.then((planner) => planner.furtherSymlinks)
    // Nobody awaits it where the programs cannot be started.
    furtherSymlinks.catch(() => undefined)
    archive = await compressedSnapshot({ upper, entries, furtherSymlinks, compressor, onRead: tarHasRead, signal })
    examined.catch((error: unknown) => archive?.destroy(error as Error))
    const written = await write(archive)
    const planner = await examined
    return { written, removals: planner.removals(), entries: planner.entryCount, leftOut: planner.leftOut }
  } finally {
    archive?.destroy()
    // The container must not move on while its files are looked at.
    await examined.catch(() => undefined)
    entries.close()
    directories.close()
  }
}
