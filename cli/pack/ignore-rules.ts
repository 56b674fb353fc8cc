import { readFile } from 'node:fs/promises'
import path from 'node:path'
import ignore, { type Ignore } from 'ignore'
import { errnoOf } from '../../base/errors.js'

const FILE = '.apcignore'

/** Version control is not part of the source; `!.git` in `.apcignore` brings it back. */
const DEFAULTS = ['.git']

/**
 * What `.apcignore` leaves out, in the manner of `.gitignore`: the file may stand in any directory and speaks for what
 * is below it; the nearest one that has an opinion wins.
 */
export class IgnoreRules {
  private constructor(
    readonly above: IgnoreRules | undefined,
    readonly directory: string,
    readonly rules: Ignore,
  ) {}

  /** The rules within `directory` (relative to `root`, empty for the root itself). */
  static async within(root: string, directory: string, above: IgnoreRules | undefined): Promise<IgnoreRules> {
    const text = await readIfThere(path.join(root, directory, FILE))
    if (above && text === undefined) return above
    const rules = ignore().add(above ? [] : DEFAULTS)
    return new IgnoreRules(above, directory, rules.add(text ?? ''))
  }

  /** @param entry relative to the root, below the directory of these rules */
  ignores(entry: string, isDirectory: boolean): boolean {
    const relative = this.directory === '' ? entry : entry.slice(this.directory.length + 1)
    // Patterns that end with a slash mean directories alone; the library knows one by its own slash.
    const verdict = this.rules.test(isDirectory ? `${relative}/` : relative)
    if (verdict.ignored) return true
    if (verdict.unignored) return false
    return this.above?.ignores(entry, isDirectory) ?? false
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
