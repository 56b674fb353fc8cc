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

/** Takes what is to be archived. */
export interface PlannedEntries {
  /** Called in the order of the walk. */
  add(path: string, kind: EntryKind): void
}

/**
 * Decides for each entry of an upper directory: archive it, record a removal, or leave it out.
 *
 * LAW: an overlay of the lower layers and a layer made of the snapshot shows the same tree as the container did: names,
 * contents, owners, permissions, times, hard links, holes and `user.*` attributes. Exceptions:
 * - sockets, named pipes and devices are left out and counted, because they cannot be imported again. If one replaced an
 *   entry of a lower layer, a removal is recorded;
 * - ACLs, file capabilities and labels are left out, as they are from uploads;
 * - several names of one symbolic link become several symbolic links;
 * - the attributes of the root directory and the injected files (isolation/injected-files.ts) belong to the Engine.
 *
 * A directory that was copied up because of its entries is archived too: without it, the layer would need made-up
 * attributes. For the same reason the ancestors of a filtered directory are archived, without their other entries.
 *
 * With a filter, the law holds at and below that directory. Everything else, and what is excluded, is as in the lower
 * layers, but for what is excluded below a directory that was removed or replaced.
 *
 * LIFECYCLE: `take` every entry, each directory before its entries; then `mark` every directory that has marks, in any
 * order; then ask for `removals`.
 */
export class SnapshotPlanner {
  /** All names but the first of a symbolic link that has several. They are archived separately, each as a link. */
  readonly furtherSymlinks: string[] = []
  /** In the archive. */
  entryCount = 0
  readonly leftOut = { sockets: 0, special: 0 }
  readonly #removals: Removal[] = []
  /** Directories that hide what lower layers have in them. */
  readonly #opaque = new Set<string>()
  /** Sockets, named pipes and devices where a lower layer has an entry. */
  readonly #replaced: string[] = []
  readonly #linkedSymlinks = new Set<number>()
  #filterIs: 'missing' | 'directory' | 'other' = 'missing'
  /** An ancestor of the filtered directory is opaque, so nothing of a lower layer is visible in it. */
  #filterIsCutOff = false

  constructor(
    readonly scope: SnapshotScope,
    private readonly lower: LowerLayers,
    private readonly entries: PlannedEntries,
  ) {
    if (scope.directory === '') this.#filterIs = 'directory'
  }

  /**
   * Tells whether the entry is archived. Only then its own entries are of interest.
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

  /**
   * To be called when all changes are taken. What a stager has removed does exist below.
   *
   * Rejects with `BadInput` (`bad-directory`) if the filtered directory does not exist.
   */
  async assertFilterExists(): Promise<void> {
    const { directory } = this.scope
    if (this.#filterIs !== 'missing' || (await this.lower.shows(directory))) return
    throw new BadInput(
      'bad-directory',
      `There is no ${show(`/${directory}`)} to take a snapshot of: name a directory that exists, or none for everything.`,
    )
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

  /** What the container removed from the lower layers. The order is the same for the same tree. */
  removals(): readonly Removal[] {
    // An opaque directory hides them already, and overlayfs would list a whiteout in it as a name.
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
    if (kind !== 'directory') {
      // Its attributes could not be archived, and a layer with a removal in it would need made-up ones.
      const why = isWhiteout(entry)
        ? `was removed too; name that, or create it again`
        : `is a ${kind}, and is not followed`
      throw new BadInput(
        'bad-directory',
        `There is no directory ${show(`/${this.scope.directory}`)} to take a snapshot of: ${show(`/${path}`)} ${why}.`,
      )
    }
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
 * Whether the entry is from the Engine and not from the stager: the whiteout or the empty copy of an injected file, where
 * no layer of a package has an entry. copied-up.ts recognises the injected link by its target.
 */
function isInjected(entry: Change, lower: LowerLayers): boolean {
  if (!INJECTED_FILES.has(entry.path) || lower.mayHold(entry.path)) return false
  if (isWhiteout(entry)) return true
  if (entry.kind === 'file') return entry.stats?.size === 0
  return entry.path === 'dev/console' && entry.kind === 'character-device'
}
