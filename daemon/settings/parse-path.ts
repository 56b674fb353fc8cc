import path from 'node:path'
import { quote } from '../../base/fqn.js'

/** sun_path has 108 bytes, with the NUL at its end. Node.js silently uses a shorter path. */
const MAX_SOCKET_BYTES = 107

/**
 * The absolute path that `text` means. As in parse-value.ts, the message of the error completes a sentence.
 *
 * @param base the directory that a relative path starts from
 */
export function parsePath(text: string, base: string): string {
  if (text === '') throw new Error('must not be empty')
  if (text.includes('\0')) throw new Error(`${quote(text)} contains a NUL byte, which no path can have`)
  if (/^~|^\$/.test(text))
    throw new Error(`${quote(text)} is not a path, because ${text.charAt(0)} is not expanded: write the path out`)
  if (/^[a-z]+:\/\//i.test(text)) throw new Error(`${quote(text)} is a URL: write the path alone`)
  return path.resolve(base, text)
}

/** An empty value turns the setting off. */
export function parseOptionalPath(text: string, base: string): string | undefined {
  return text === '' ? undefined : parsePath(text, base)
}

export function parseSocketPath(text: string, base: string): string {
  if (text.endsWith('/')) throw new Error(`${quote(text)} is a directory: write the path of the socket in it`)
  const parsed = parsePath(text, base)
  const length = Buffer.byteLength(parsed)
  if (length > MAX_SOCKET_BYTES)
    throw new Error(`${quote(parsed)} has ${length} bytes, but the path of a socket at most ${MAX_SOCKET_BYTES}`)
  return parsed
}
