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

type Refuse = (why: string) => never

/**
 * The one rule for paths: whoever gives a path in a package or a root, as an entry of an archive, a filter, a removal, a
 * template or a field of a build script, gives it from the root, with or without a slash at the beginning. `/a//b/./c/`
 * is `a/b/c`, and the root itself is the empty string.
 *
 * @param raw bytes in latin1
 * @param refuse throws; it gets the reason
 */
export function pathFromRoot(raw: string, refuse: Refuse): string {
  if (raw === '') refuse('it is empty')
  const segments: string[] = []
  for (const segment of raw.split('/')) {
    if (segment === '' || segment === '.') continue
    const fault = faultOfName(segment)
    if (fault !== undefined) refuse(fault)
    segments.push(segment)
  }
  const path = segments.join('/')
  if (path.length > LONGEST_PATH) refuse(`a path must not be longer than ${LONGEST_PATH} bytes`)
  return path
}

/** The path that `raw` stands for by this rule, also where it breaks it. */
export function plainPath(raw: string): string {
  return raw
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/')
}

/** As `pathFromRoot`, without the root itself. */
export function pathBelowRoot(raw: string, refuse: Refuse): string {
  const path = pathFromRoot(raw, refuse)
  return path === '' ? refuse('it is the root itself; name something below it') : path
}

/** As `pathBelowRoot`, for a path given as text. */
export function textBelowRoot(text: string, refuse: Refuse): string {
  return Buffer.from(pathBelowRoot(Buffer.from(text).toString('latin1'), refuse), 'latin1').toString()
}
