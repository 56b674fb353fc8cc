import { BadInput, Fault } from '../../base/errors.js'
import { parentOf, show } from '../archive/names.js'
import type { EntryKind } from '../archive/tree.js'
import { encodeRemovalPath } from '../removal-path.js'
import type { Removal } from '../launch-plan.js'
import { INJECTED_FILES } from '../injected-files.js'
import type { LowerLayers } from './lower-layers.js'
import { isOpaque, isWhiteout, type OverlayMarks, whyNotPlain } from './overlay-entry.js'
import type { SnapshotScope } from './snapshot-scope.js'
import type { Change } from './walk-upper.js'

/** Where the planner puts what is to be archived. */
export interface PlannedEntries {
  /** In the order of the walk. */
  add(path: string, kind: EntryKind): void
}

/**
 * Makes changes into an archive and removals, entry by entry.
 *
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
 * With a filter the law holds for what is at and below that directory, and everything else is as in the lower layers;
 * what is excluded is as in the lower layers too.
 *
 * LIFECYCLE: `take` every entry, each directory before what it holds; then `mark` every directory that has marks, in any
 * order; then ask for `removals`.
 */
export class SnapshotPlanner {
  /** Further names of symbolic links that have several: to be archived as links of their own, apart from the others. */
  readonly furtherSymlinks: string[] = []
  /** In the archive. */
  entryCount = 0
  readonly leftOut = { sockets: 0, special: 0 }
  readonly #removals: Removal[] = []
  /** Where lower layers do not show through: whatever was there is gone already. */
  readonly #opaque = new Set<string>()
  /** Sockets, named pipes and devices over something of a lower layer. */
  readonly #replaced: string[] = []
  readonly #linkedSymlinks = new Set<number>()
  #filterIs: 'missing' | 'directory' | 'other' = 'missing'
  /** The filtered directory's content comes from nowhere below: something above it is new, or gone. */
  #filterIsCutOff = false

  constructor(
    readonly scope: SnapshotScope,
    private readonly lower: LowerLayers,
    private readonly entries: PlannedEntries,
  ) {
    if (scope.directory === '') this.#filterIs = 'directory'
  }

  /**
   * Tells whether the entry is in the archive, so what it holds may be too.
   *
   * Throws `BadInput` (`bad-directory`, `reserved-name`).
   */
  take(entry: Change): boolean {
    const { path, kind } = entry
    const place = this.scope.placeOf(path)
    if (place === 'outside' || isInjected(entry, this.lower)) return false
    refuseReserved(path)
    if (place === 'ancestor') return this.#takeAncestor(entry)
    if (path === this.scope.directory) this.#filterIs = kind === 'directory' ? 'directory' : 'other'
    if (isWhiteout(entry)) {
      this.#remove('removed', path)
      return false
    }
    switch (kind) {
      case 'directory':
      case 'file':
      case 'symlink':
        this.#archive(entry)
        return true
      case 'socket':
      case 'fifo':
      case 'character-device':
      case 'block-device':
        if (kind === 'socket') this.leftOut.sockets += 1
        else this.leftOut.special += 1
        if (this.lower.mayHold(path)) this.#replaced.push(path)
        return false
    }
  }

  /** Throws `Fault` (`overlay-redirect`). */
  mark(path: string, marks: OverlayMarks): void {
    const place = this.scope.placeOf(path)
    if (place === 'outside') return
    const why = whyNotPlain(marks)
    if (why !== undefined)
      throw new Fault(
        'overlay-redirect',
        `A snapshot is not possible: ${show(`/${path}`)} cannot be read by itself, because ${why}; mount overlays with redirect_dir=off,metacopy=off.`,
      )
    if (!isOpaque(marks)) return
    this.#opaque.add(path)
    if (place === 'ancestor') this.#filterIsCutOff = true
    else if (this.lower.mayHold(path)) this.#remove('opaque', path)
  }

  /** What was taken away from the lower layers; in an order that is the same for the same tree. */
  removals(): readonly Removal[] {
    // In an opaque directory overlayfs lists a whiteout as the name of something that is not there.
    const replaced = this.#replaced.filter((path) => !this.#isHidden(path))
    return [...this.#removals, ...replaced.map((path) => removalOf('removed', path)), ...this.#ofFilter()]
  }

  #ofFilter(): Removal[] {
    const { directory } = this.scope
    if (!this.#filterIsCutOff || this.#filterIs === 'other' || this.#opaque.has(directory)) return []
    if (!this.lower.mayHold(directory)) return []
    return [removalOf(this.#filterIs === 'directory' ? 'opaque' : 'removed', directory)]
  }

  #isHidden(path: string): boolean {
    for (let above = parentOf(path); above !== ''; above = parentOf(above)) if (this.#opaque.has(above)) return true
    return false
  }

  #takeAncestor(entry: Change): boolean {
    const { path, kind } = entry
    if (isWhiteout(entry)) {
      this.#filterIsCutOff = true
      return false
    }
    if (kind !== 'directory')
      throw new BadInput(
        'bad-directory',
        `There is no directory ${show(`/${this.scope.directory}`)} to take a snapshot of: ${show(`/${path}`)} is a ${kind}, and is not followed.`,
      )
    this.#archive(entry)
    return true
  }

  #archive(entry: Change): void {
    this.entryCount += 1
    if (this.#isFurtherName(entry)) this.furtherSymlinks.push(entry.path)
    else this.entries.add(entry.path, entry.kind)
  }

  #isFurtherName({ kind, stats }: Change): boolean {
    if (kind !== 'symlink' || stats === undefined || stats.nlink === 1) return false
    const isFurther = this.#linkedSymlinks.has(stats.ino)
    this.#linkedSymlinks.add(stats.ino)
    return isFurther
  }

  #remove(kind: Removal['kind'], path: string): void {
    this.#removals.push(removalOf(kind, path))
  }
}

function removalOf(kind: Removal['kind'], path: string): Removal {
  return { kind, path: encodeRemovalPath(path) }
}

function refuseReserved(path: string): void {
  if (path.startsWith('.wh.', path.lastIndexOf('/') + 1))
    throw new BadInput(
      'reserved-name',
      `A snapshot is not possible: ${show(`/${path}`)} has a name that marks removals in image layers (.wh.); rename or remove it first.`,
    )
}

/**
 * Whether the entry is Docker's, and not the stager's: one of its names, gone or an empty file, where no layer of a package
 * has anything. Whether a link is Docker's is told by where it leads: isolation/engine/copied-up.ts.
 */
function isInjected(entry: Change, lower: LowerLayers): boolean {
  if (!INJECTED_FILES.has(entry.path) || lower.mayHold(entry.path)) return false
  if (isWhiteout(entry)) return true
  if (entry.kind === 'file') return entry.stats?.size === 0
  return entry.path === 'dev/console' && entry.kind === 'character-device'
}
