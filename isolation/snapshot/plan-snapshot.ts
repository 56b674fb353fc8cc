import { BadInput, Fault } from '../../base/errors.js'
import { parentOf, show } from '../archive/names.js'
import { encodeRemovalPath } from '../layers/removal-path.js'
import type { Removal } from '../launch-plan.js'
import { position } from './directory-filter.js'
import { isInjected } from './engine-files.js'
import type { Change } from './list-changes.js'
import type { LowerLayers } from './lower-layers.js'
import { isOpaque, isWhiteout, type OverlayMarks, whyNotPlain } from './overlay-entry.js'

/** What a snapshot is to hold. Paths are sorted; bytes as latin1. */
export interface SnapshotPlan {
  readonly paths: readonly string[]
  /** Further names of symbolic links that have several: archived as links of their own, behind `paths`. */
  readonly furtherSymlinks: readonly string[]
  readonly removals: readonly Removal[]
  readonly sockets: number
  /** Named pipes and devices. */
  readonly special: number
}

export const NO_MARKS: ReadonlyMap<string, OverlayMarks> = new Map()
const UNMARKED: OverlayMarks = new Map()

/**
 * LAW: the lower layers, and the snapshot made into a layer on top of them, show what the container showed: name by name,
 * byte by byte, with owners, permissions, times, hard links, holes and `user.*` attributes. Except that
 * - sockets, named pipes and devices are left out and counted: nothing could import them again. What they replaced in a
 *   lower layer is a removal;
 * - ACLs, file capabilities and labels are left out, as they are from uploads;
 * - several names of one symbolic link become several symbolic links;
 * - the attributes of the root directory, and the files that it mounts upon (engine-files.ts), are the Engine's.
 *
 * A directory that was copied up for the sake of what it holds is there as itself: as a layer it would otherwise get
 * attributes that somebody had to invent. For the same reason the ancestors of a filtered directory are there, alone.
 *
 * With a filter the law holds for what is at and below that directory, and everything else is as in the lower layers.
 *
 * Throws `BadInput` (`bad-directory`, `reserved-name`), `Fault` (`overlay-redirect`).
 */
export function planSnapshot(
  upper: readonly Change[],
  marks: ReadonlyMap<string, OverlayMarks>,
  filter: string,
  lower: LowerLayers,
): SnapshotPlan {
  const paths: string[] = []
  const furtherSymlinks: string[] = []
  const removals: Removal[] = []
  const linkedSymlinks = new Set<string>()
  let sockets = 0
  let special = 0
  // A removal of the filtered directory itself that something above it implies.
  let fromAbove: Removal | undefined
  let filterIsThere = filter === ''
  const removal = (kind: Removal['kind'], path: string): Removal => ({ kind, path: encodeRemovalPath(path) })

  for (const entry of upper) {
    const { path } = entry
    const place = position(path, filter)
    if (place === 'outside' || isInjected(entry, lower)) continue
    const itsMarks = marks.get(path) ?? UNMARKED
    refuseStrange(entry, itsMarks)
    if (place === 'ancestor') {
      if (isWhiteout(entry)) fromAbove = removal('removed', filter)
      else if (entry.kind !== 'directory')
        throw new BadInput(
          'bad-directory',
          `There is no directory ${show(`/${filter}`)} to take a snapshot of: ${show(`/${path}`)} is a ${entry.kind}, and is not followed.`,
        )
      else {
        paths.push(path)
        if (isOpaque(entry, itsMarks) && lower.mayHold(filter)) fromAbove = removal('removed', filter)
      }
      continue
    }
    if (path === filter) filterIsThere = true
    if (isWhiteout(entry)) {
      removals.push(removal('removed', path))
      continue
    }
    switch (entry.kind) {
      case 'directory':
        paths.push(path)
        if ((isOpaque(entry, itsMarks) || (path === filter && fromAbove)) && lower.mayHold(path))
          removals.push(removal('opaque', path))
        break
      case 'file':
        paths.push(path)
        break
      case 'symlink':
        if (entry.inode !== undefined && linkedSymlinks.has(entry.inode)) furtherSymlinks.push(path)
        else paths.push(path)
        if (entry.inode !== undefined) linkedSymlinks.add(entry.inode)
        break
      case 'socket':
      case 'fifo':
      case 'character-device':
      case 'block-device':
        if (entry.kind === 'socket') sockets += 1
        else special += 1
        if (lower.mayHold(path)) removals.push(removal('removed', path))
    }
  }
  if (fromAbove && !filterIsThere) removals.push(fromAbove)
  return { paths, furtherSymlinks, removals: onceEach(removals), sockets, special }
}

function refuseStrange(entry: Change, marks: OverlayMarks): void {
  const why = whyNotPlain(entry, marks)
  if (why !== undefined)
    throw new Fault(
      'overlay-redirect',
      `A snapshot is not possible: ${show(`/${entry.path}`)} cannot be read by itself, because ${why}; mount overlays with redirect_dir=off,metacopy=off.`,
    )
  const name = entry.path.slice(parentOf(entry.path).length).replace(/^\//, '')
  if (name.startsWith('.wh.'))
    throw new BadInput(
      'reserved-name',
      `A snapshot is not possible: ${show(`/${entry.path}`)} has a name that marks removals in image layers (.wh.); rename or remove it first.`,
    )
}

function onceEach(removals: readonly Removal[]): Removal[] {
  return [...new Map(removals.map((removal) => [`${removal.kind} ${removal.path}`, removal])).values()]
}
