import type { Change } from './walk-upper.js'

/** The extended attributes `trusted.overlay.NAME` of a directory in an upper directory: values by name. */
export type OverlayMarks = ReadonlyMap<string, string>

/** overlayfs records a removed name as a character device with the number 0:0. */
export function isWhiteout(entry: Change): boolean {
  return entry.kind === 'character-device' && entry.stats?.rdev === 0
}

/** Whether the directory hides what lower layers have in it. */
export function isOpaque(marks: OverlayMarks): boolean {
  return marks.get('opaque') === 'y'
}

/**
 * Why the directory alone does not show its content; undefined for an ordinary directory. Docker mounts with
 * `redirect_dir` and `metacopy` off, so a renamed directory is copied. With them on, an upper directory can hold
 * directories without their content. The value `x` of `opaque` means whiteouts that are written as attributes.
 *
 * Only directories need this check: files get a mark by `metacopy` alone, and a mount with that option is refused.
 */
export function whyNotPlain(marks: OverlayMarks): string | undefined {
  if (marks.has('redirect')) return 'it was renamed and stands for a directory of another name (redirect_dir)'
  if (marks.has('metacopy')) return 'only its attributes were copied, and its content was not (metacopy)'
  const opaque = marks.get('opaque')
  if (opaque !== undefined && opaque !== 'y') return `it is opaque in a way that is unknown here ("${opaque}")`
  return undefined
}
