import ignore, { type Ignore } from 'ignore'
import { joined, nativePath, shownPath } from '../../base/byte-path.js'
import { IGNORE_FILE, readIgnoreFile } from './ignore-file.js'

/** Ignored by default. `!.git` in `.apcignore` includes it. */
const DEFAULT_RULES = ['.git']

/** The library remembers each answer. Starting anew after so many keeps memory flat. */
const REMEMBERED = 10_000

/**
 * The rules of `.apcignore` files, with the semantics of `.gitignore` on Linux: case matters; a file applies to its
 * directory and everything below; the last rule that matches wins, and those of the nearest file come last.
 */
export class IgnoreRules {
  #rules: Ignore
  #remembered = 0

  private constructor(patterns: readonly string[], before?: IgnoreRules) {
    this.#rules = caseSensitive()
    if (before) this.#rules.add(before.#rules)
    this.#rules.add(patterns.map((pattern) => pattern.normalize('NFC')))
  }

  /** The rules of a source, before any ignore file is read. */
  static defaults(): IgnoreRules {
    return new IgnoreRules(DEFAULT_RULES)
  }

  /**
   * These rules and those of the ignore file in `directory`, which is relative to `root` (both bytes as latin1).
   *
   * Throws `BadInput` (`bad-ignore-file`).
   */
  withFileOf(root: string, directory: string): IgnoreRules {
    const file = joined(directory, IGNORE_FILE)
    const patterns = readIgnoreFile(nativePath(`${root}/${file}`), shownPath(file))
    return new IgnoreRules(
      directory === '' ? patterns : patterns.map((each) => below(shownPath(directory), each)),
      this,
    )
  }

  /** @param entry path relative to the root, whose parents are not ignored; bytes as latin1 */
  ignores(entry: string, isDirectory: boolean): boolean {
    if (++this.#remembered % REMEMBERED === 0) this.#rules = caseSensitive().add(this.#rules)
    // Patterns with a trailing slash match only directories, which the library recognises by their trailing slash.
    // One letter can be written as one character or as two: a pattern matches both.
    return this.#rules.ignores(shownPath(isDirectory ? `${entry}/` : entry).normalize('NFC'))
  }
}

/** A pattern of a file in `directory` as one of the root. All rules in one list leave the order to the library. */
function below(directory: string, pattern: string): string {
  const [, not = '', rest = ''] = /^(!?)(.*)$/s.exec(pattern) ?? []
  // A slash before the end ties a pattern to the directory of its file.
  const isTied = /\/./.test(rest)
  const place = directory.replace(/[\\*?[\]]/g, '\\$&')
  return `${not}/${place}/${isTied ? rest.replace(/^\//, '') : `**/${rest}`}`
}

function caseSensitive(): Ignore {
  return ignore({ ignorecase: false })
}
