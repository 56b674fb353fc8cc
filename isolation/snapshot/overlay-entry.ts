import type { Change } from './walk-upper.js'

/**
 * What overlayfs says with an entry of an upper directory; each question is a function of its own.
 *
 * `marks` are a directory's attributes below `trusted.overlay.`, by what follows it.
 */
export type OverlayMarks = ReadonlyMap<string, string>

/** A character device of the number 0:0 stands for a name that is gone. */
export function isWhiteout(entry: Change): boolean {
  return entry.kind === 'character-device' && entry.stats?.rdev === 0
}

/** A directory that lower layers do not show through. */
export function isOpaque(marks: OverlayMarks): boolean {
  return marks.get('opaque') === 'y'
}

/**
 * Why a directory's content is elsewhere than in it, or its meaning unknown; undefined for an ordinary one. Docker mounts
 * with `redirect_dir` and `metacopy` off, under which a renamed directory is copied; an Engine on a host that turned
 * them on would give us directories that are empty shells. Opaque in another way (`x`) is one that holds removals
 * written as attributes.
 *
 * Files are not asked: only `metacopy` gives them a mark, and a mount that has it on is refused as a whole.
 */
export function whyNotPlain(marks: OverlayMarks): string | undefined {
  if (marks.has('redirect')) return 'it was renamed and stands for a directory of another name (redirect_dir)'
  if (marks.has('metacopy')) return 'only its attributes were copied, and its content was not (metacopy)'
  const opaque = marks.get('opaque')
  if (opaque !== undefined && opaque !== 'y') return `it is opaque in a way that is unknown here ("${opaque}")`
  return undefined
}
