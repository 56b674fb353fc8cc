import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { BadInput, errnoOf } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

export const IGNORE_FILE = '.apcignore'

/** In bytes. A longer file is not a list of patterns. */
const LONGEST = 1024 * 1024

/**
 * Reads the patterns of an ignore file that is in a directory.
 *
 * LAW: a file that is there is either read as its author means it, or refused. A rule that is passed over in silence
 * uploads what it should exclude, such as secrets. So this refuses, beyond what Git ignores silently, patterns that can
 * match nothing and are common mistakes.
 *
 * Throws `BadInput` (`bad-ignore-file`).
 *
 * @param shown its name in messages
 */
export function readIgnoreFile(file: string | Buffer, shown: string): readonly string[] {
  return patternsOf(read(file, shown), shown)
}

/** True for a name that is probably meant to be that of an ignore file, but is another one. */
export function resemblesIgnoreFile(name: string): boolean {
  return name !== IGNORE_FILE && /^\.apcignore(\.txt)?$/i.test(name)
}

export function badIgnoreFile(shown: string, why: string, cause?: unknown): BadInput {
  return new BadInput('bad-ignore-file', `${quote(shown)} ${why}.`, { cause })
}

function read(file: string | Buffer, shown: string): Buffer {
  let handle: number
  try {
    // Without O_NONBLOCK, opening a named pipe waits for a writer.
    handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw badIgnoreFile(shown, whyUnreadable(error), error)
  }
  try {
    const stats = fstatSync(handle)
    if (!stats.isFile()) throw badIgnoreFile(shown, 'is not a file: replace it by a text file with patterns')
    if (stats.size > LONGEST)
      throw badIgnoreFile(shown, `has ${stats.size} bytes: a list of patterns has at most ${LONGEST}`)
    return readFileSync(handle)
  } catch (error) {
    throw error instanceof BadInput ? error : badIgnoreFile(shown, whyUnreadable(error), error)
  } finally {
    closeSync(handle)
  }
}

function whyUnreadable(error: unknown): string {
  switch (errnoOf(error)) {
    case 'EACCES':
    case 'EPERM':
      return 'cannot be read: give yourself permission to read it, or remove it'
    case 'ENOENT':
      return 'is a symbolic link to nothing: replace it by a text file with patterns, or remove it'
    case 'ELOOP':
      return 'is a symbolic link that leads in a circle: replace it by a text file with patterns'
    default:
      return 'cannot be read: replace it by a text file with patterns, or remove it'
  }
}

function patternsOf(bytes: Buffer, shown: string): string[] {
  if (bytes.includes(0) || startsWith(bytes, 0xff, 0xfe) || startsWith(bytes, 0xfe, 0xff))
    throw badIgnoreFile(shown, 'is not a text in UTF-8 but looks like UTF-16 or a binary file: save it as UTF-8')
  let text: string
  try {
    // This drops a byte order mark.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw badIgnoreFile(shown, 'is not a text in UTF-8: save it as UTF-8', error)
  }
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (/^\s*$/.test(line) || line.startsWith('#')) return []
    const why = faultOf(line)
    if (why !== undefined) throw badIgnoreFile(shown, `is refused because of line ${index + 1}, ${quote(line)}: ${why}`)
    return [line]
  })
}

/** Why a line excludes nothing, or not what it seems to; undefined for a sound one. */
function faultOf(line: string): string | undefined {
  if (line.includes('\r')) return 'it contains a carriage return; end each line with a line feed'
  if (/[\0-\x08\x0b-\x1f\x7f\ufeff\u200b\u200e\u200f\u2060]/.test(line))
    return 'it contains a character that cannot be seen; write the line again'
  if (/^\s/.test(line)) return 'blanks at its beginning are part of the name; remove them, or write \\ before the first'
  if (/\t$/.test(line)) return 'a tab at its end is part of the name; remove it'
  if (/[^\\]\s#/.test(line)) return 'a comment needs a line of its own; write \\# for a # in a name'
  const pattern = line.replace(/^!/, '').replace(/(?<!\\) +$/, '')
  if (pattern === '' || pattern === '/') return 'it has no name'
  if (/(?:^|[^\\])(?:\\\\)*\\$/.test(pattern)) return 'it ends with a backslash; write / after a directory'
  if (/(?:^|[^\\])(?:\\\\)*\\[A-Za-z0-9_]/.test(pattern)) return 'a backslash does not separate directories; write /'
  if (pattern.split('/').some((part) => part === '.' || part === '..'))
    return 'paths are relative to the directory of the file; write them without . and .., such as /name'
  if (pattern.includes('//')) return 'it has two slashes in a row; write one'
  if (hasOpenBracket(pattern)) return 'its [ has no ]; close it, or write \\[ for a [ in a name'
  return undefined
}

function hasOpenBracket(pattern: string): boolean {
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === '\\') at += 1
    else if (pattern[at] === '[') {
      const end = endOfBracket(pattern, at)
      if (end === undefined) return true
      at = end
    }
  }
  return false
}

const CLASSES = /^(?:alnum|alpha|blank|cntrl|digit|graph|lower|print|punct|space|upper|xdigit)$/

/** Where the bracket expression at `start` ends; undefined where it does not, or names a class that is none. */
function endOfBracket(pattern: string, start: number): number | undefined {
  const first = /^\[[!^]?/.exec(pattern.slice(start))?.[0].length ?? 1
  for (let at = start + first; at < pattern.length;) {
    // A ] that comes first is a member.
    if (pattern[at] === ']' && at > start + first) return at
    const named = /^\[:([^\]]*):\]/.exec(pattern.slice(at))
    if (named && !CLASSES.test(named[1] ?? '')) return undefined
    at += named ? named[0].length : pattern[at] === '\\' ? 2 : 1
  }
  return undefined
}

function startsWith(bytes: Buffer, ...first: readonly number[]): boolean {
  return first.every((byte, index) => bytes[index] === byte)
}
