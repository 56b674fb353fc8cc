import { readFile } from 'node:fs/promises'
import path from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { errnoOf } from '../../base/errors.js'

const IGNORE_FILE = '.apcignore'

/** Ignored by default. `!.git` in `.apcignore` includes it. */
const DEFAULT_RULES = ['.git']

/**
 * The rules of `.apcignore` files, with the semantics of `.gitignore`: a file applies to its directory and everything
 * below; the nearest file with a matching rule wins.
 */
export class IgnoreRules {
  private constructor(
    readonly parent: IgnoreRules | undefined,
    readonly directory: string,
    readonly rules: Ignore,
  ) {}

  /** Loads the rules for `directory` (relative to `root`, empty for `root` itself). */
  static async load(root: string, directory: string, parent: IgnoreRules | undefined): Promise<IgnoreRules> {
    const text = await readIfExists(path.join(root, directory, IGNORE_FILE))
    if (parent && text === undefined) return parent
    const rules = ignore().add(parent ? [] : DEFAULT_RULES)
    return new IgnoreRules(parent, directory, rules.add(text ?? ''))
  }

  /** @param entry path relative to the root, inside the directory of these rules */
  ignores(entry: string, isDirectory: boolean): boolean {
    const relative = this.directory === '' ? entry : entry.slice(this.directory.length + 1)
    // Patterns with a trailing slash match only directories, which the library recognises by their trailing slash.
    const verdict = this.rules.test(isDirectory ? `${relative}/` : relative)
    if (verdict.ignored) return true
    if (verdict.unignored) return false
    return this.parent?.ignores(entry, isDirectory) ?? false
  }
}

async function readIfExists(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
