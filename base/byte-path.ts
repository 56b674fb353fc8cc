/**
 * Names of files that are packed. They are bytes, and not all of them are UTF-8. Here they are `latin1` strings with one character per
 * byte: they compare and sort like bytes, and go into an archive unchanged.
 */
export function nativePath(bytes: string): string | Buffer {
  // Most names are ASCII, for which the conversion is a cost without an effect.
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1')
}

/** A path as text, for patterns and messages. Bytes that are not UTF-8 become U+FFFD. */
export function shownPath(bytes: string): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8')
}

/** The inverse of `nativePath`, for a path of the command line. */
export function bytePath(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** @param directory empty for the root */
export function joined(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`
}

function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text)
}
