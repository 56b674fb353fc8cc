import type { Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { BadInput, errnoOf } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { IgnoreRules } from './ignore-rules.js'

export interface SourceList {
  /** Relative to the directory, parents before what they hold, sorted: the order of the archive. */
  readonly entries: readonly string[]
  /** Of the files, in bytes. */
  readonly length: number
}

/**
 * Everything of `root` that belongs into a package.
 *
 * tar-fs could walk by itself, but it takes an entry that vanishes under its hands for the end of the archive.
 *
 * Throws `BadInput`: `unpackable` for what no package may hold, `nothing-to-pack`.
 */
export async function listSource(root: string, signal: AbortSignal): Promise<SourceList> {
  const entries: string[] = []
  let length = 0
  await walk('', undefined)
  if (entries.length === 0)
    throw new BadInput(
      'nothing-to-pack',
      `${quote(root)} holds nothing to pack: put the source there, or let .apcignore leave something over.`,
    )
  return { entries, length }

  async function walk(directory: string, above: IgnoreRules | undefined): Promise<void> {
    signal.throwIfAborted()
    const rules = await IgnoreRules.within(root, directory, above)
    const found = await readdir(path.join(root, directory), { withFileTypes: true })
    for (const item of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const entry = path.join(directory, item.name)
      if (rules.ignores(entry, item.isDirectory())) continue
      const stats = await statOf(root, entry)
      assertPackable(entry, stats)
      entries.push(entry)
      if (stats.isFile()) length += stats.size
      if (stats.isDirectory()) await walk(entry, rules)
    }
  }
}

async function statOf(root: string, entry: string): Promise<Stats> {
  try {
    return await lstat(path.join(root, entry))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    const why = entry.includes('\ufffd')
      ? 'has a name that is not UTF-8: rename it, or name it in .apcignore.'
      : 'vanished while it was being packed: let nothing change the directory meanwhile.'
    throw new BadInput('unpackable', `${quote(entry)} ${why}`, { cause: error })
  }
}

function assertPackable(entry: string, stats: Stats): void {
  if (stats.isFile() || stats.isDirectory() || stats.isSymbolicLink()) return
  throw new BadInput(
    'unpackable',
    `${quote(entry)} is neither a file, a directory nor a symbolic link: remove it, or name it in .apcignore.`,
  )
}
