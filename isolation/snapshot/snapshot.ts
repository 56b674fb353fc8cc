import type { Readable } from 'node:stream'
import { settleAll } from '../../base/settle-all.js'
import type { Compressor } from '../archive/compressor.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { INJECTED_FILES } from '../injected-files.js'
import type { SnapshotReport, SnapshotRequest } from '../isolation.js'
import { STAGER_SECRETS } from '../launch-plan.js'
import { assertUnpackable } from './assert-unpackable.js'
import { copiedUp } from './copied-up.js'
import { LowerDirectories, UNKNOWN_LOWER } from './lower-layers.js'
import { readOverlayMarks } from './overlay-marks.js'
import { PathSpool } from './path-spool.js'
import { SnapshotPlanner } from './snapshot-planner.js'
import { SnapshotScope } from './snapshot-scope.js'
import { SnapshotTar } from './snapshot-tar.js'
import { TimeSlice } from './time-slice.js'
import { walkUpper } from './walk-upper.js'

export interface UpperSnapshotRequest extends SnapshotRequest {
  /** Absolute path of the upper directory of an overlay. */
  readonly upper: string
  /**
   * Absolute paths of the directories below it, topmost first. With them, only what existed in them is recorded as
   * removed. Without them a new directory can be recorded as opaque, and would hide what other lower layers have.
   */
  readonly lowers?: readonly string[]
  /** The files that stagerd put into the root: content by absolute path. */
  readonly givenFiles?: ReadonlyMap<string, string>
  readonly compressor: Compressor
  /** Those of the container: the archive has their ids inside. */
  readonly owners?: MappedOwners | undefined
  /** Left out where nothing writes in the tree. */
  readonly freezer?: SnapshotFreezer
  /** Ends the reading of the tree. */
  readonly signal?: AbortSignal
}

/** Keeps a container frozen during `work`. */
export interface SnapshotFreezer {
  whileFrozen<T>(work: () => Promise<T>): Promise<T>
}

const NOTHING_TO_FREEZE: SnapshotFreezer = { whileFrozen: (work) => work() }

/** An archive without entries counts as broken. So where nothing was added, the archive holds the root directory. */
const ROOT_DIRECTORY = '.'

/**
 * Passes the changes in an upper directory to `write` as an archive, and reports the removals. `write` must read the
 * archive to its end. The same tree gives the same bytes. snapshot-planner.ts says what is kept.
 *
 *   start tar and compressor ─ freeze ─ walk ─┬─ tar ─ compressor ─ write ─┬─ report
 *                                             ├─ marks of directories ─────┤
 *                                             └─ owners and lengths ───────┘
 *
 * The container is thawed when tar has read the tree, and marks and owners are known; the compressor and `write` go on.
 *
 * Rejects with `BadInput` (`bad-directory`, `reserved-name`, `bad-owner`, `path-too-long`), `TooLarge`
 * (`snapshot-too-large`), `Fault` (`overlay-redirect`, `archive-failed`, …), or as `write` does.
 */
export async function takeSnapshot<T>(
  request: UpperSnapshotRequest,
  write: (archive: Readable) => Promise<T>,
): Promise<SnapshotReport<T>> {
  const { upper, compressor, owners, freezer = NOTHING_TO_FREEZE, signal } = request
  const scope = SnapshotScope.of(request.directory, request.exclude)
  const lists = { entries: new PathSpool(), directories: new PathSpool() }
  const tar = new SnapshotTar({ upper, entries: lists.entries, compressor, owners, signal })
  let writing = undefined as Promise<T> | undefined
  try {
    const { planner, written } = await freezer.whileFrozen(async () => {
      signal?.throwIfAborted()
      const planner = await plan(request, scope, lists)
      const { archive, treeRead } = tar.archive(planner.furtherSymlinks)
      const written = write(archive)
      writing = written
      const examined = examine(request, planner, lists.directories)
      examined.catch((error: unknown) => archive.destroy(error as Error))
      await settleAll([examined, Promise.race([treeRead, written])])
      // In an object, because a promise that is returned would be awaited while the container is frozen.
      return { planner, written }
    })
    return {
      written: await written,
      removals: planner.removals(),
      entries: planner.entryCount,
      leftOut: planner.leftOut,
    }
  } finally {
    tar.destroy()
    // After a failure `write` still has to clean up.
    await writing?.catch(() => undefined)
    lists.entries.close()
    lists.directories.close()
  }
}

interface SnapshotLists {
  /** For tar. */
  readonly entries: PathSpool
  /** For getfattr. */
  readonly directories: PathSpool
}

async function plan(
  { upper, lowers, givenFiles = new Map<string, string>(), signal }: UpperSnapshotRequest,
  scope: SnapshotScope,
  { entries, directories }: SnapshotLists,
): Promise<SnapshotPlanner> {
  const lower = lowers ? await LowerDirectories.of(lowers) : UNKNOWN_LOWER
  // Nothing is mounted there in a launch without secrets.
  const planner = new SnapshotPlanner(
    scope.without([...(await copiedUp(upper, lower, givenFiles)), STAGER_SECRETS]),
    lower,
    {
      add: (path, kind) => {
        entries.add(path)
        if (kind === 'directory') directories.add(path)
      },
    },
  )
  const needsStats = (path: string) => INJECTED_FILES.has(path)
  await walkUpper(upper, { visit: (change) => planner.take(change), needsStats, signal })
  await planner.assertFilterExists()
  if (entries.count === 0) entries.add(ROOT_DIRECTORY)
  entries.end()
  directories.end()
  return planner
}

/** The checks that take longer than the walk. They go on while tar reads. */
async function examine(
  { upper, owners, signal }: UpperSnapshotRequest,
  planner: SnapshotPlanner,
  directories: PathSpool,
): Promise<void> {
  const slice = new TimeSlice(signal)
  for await (const { path, marks } of readOverlayMarks(upper, directories.read(), signal)) {
    planner.mark(path, marks)
    if (slice.isOver) await slice.yield()
  }
  await assertUnpackable(upper, planner.scope, owners, signal)
}
