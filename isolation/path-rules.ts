/** PATH_MAX and NAME_MAX of Linux, without the final NUL. A longer path cannot be unpacked in one step. */
export const LONGEST_PATH = 4095
export const LONGEST_NAME = 255

/**
 * Why no package can hold an entry of this name, which is one segment of a path, as bytes in latin1. Undefined where one
 * can.
 */
export function faultOfName(name: string): string | undefined {
  if (name.includes('\0')) return 'its name holds a NUL byte'
  if (name === '..') return '".." could lead out of the package; give paths from the root'
  if (name.startsWith('.wh.')) return 'names that begin with ".wh." mark removals in image layers'
  if (name.length > LONGEST_NAME) return `a name has at most ${LONGEST_NAME} bytes between slashes`
  return undefined
}
