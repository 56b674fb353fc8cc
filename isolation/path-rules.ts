/** PATH_MAX and NAME_MAX of Linux, without the terminating NUL. tar cannot unpack longer paths. */
export const LONGEST_PATH = 4095
export const LONGEST_NAME = 255

/**
 * The reason why a package cannot contain an entry of this name, or undefined if it can.
 *
 * @param name one component of a path, as bytes in latin1
 */
export function faultOfName(name: string): string | undefined {
  if (name.includes('\0')) return 'its name contains a NUL byte'
  if (name === '..') return '".." could lead out of the package; write paths from the root'
  if (name.startsWith('.wh.')) return 'names that begin with ".wh." are reserved for removals in image layers'
  if (name.length > LONGEST_NAME) return `a path component must not be longer than ${LONGEST_NAME} bytes`
  return undefined
}
