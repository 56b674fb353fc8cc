import type { Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { BadInput, errnoOf } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { IgnoreRules } from './ignore-rules.js'

export interface SourceList {
  /** Paths relative to the directory, sorted, parents first: the order of the archive. */
  readonly entries: readonly string[]
  /** Total size of the files, in bytes. */
  readonly length: number
}

/**
 * Lists the entries of `root` that go into a package.
 *
 * tar-fs can walk a directory too, but when an entry vanishes meanwhile, it ends the archive there without an error.
 *
 * Throws `BadInput`: `unpackable` for file types that packages do not support, `nothing-to-pack`.
 */
export async function listSource(root: string, signal: AbortSignal): Promise<SourceList> {
  const entries: string[] = []
  let length = 0
  await walk('', undefined)
  if (entries.length === 0)
    throw new BadInput(
      'nothing-to-pack',
      `${quote(root)} contains nothing to pack: add the source there, or make .apcignore exclude less.`,
    )
  return { entries, length }

  async function walk(directory: string, parent: IgnoreRules | undefined): Promise<void> {
    signal.throwIfAborted()
    const rules = await IgnoreRules.load(root, directory, parent)
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
      ? 'has a name that is not UTF-8: rename it, or exclude it in .apcignore.'
      : 'vanished during packing: do not change the directory meanwhile.'
    throw new BadInput('unpackable', `${quote(entry)} ${why}`, { cause: error })
  }
}

function assertPackable(entry: string, stats: Stats): void {
  if (stats.isFile() || stats.isDirectory() || stats.isSymbolicLink()) return
  throw new BadInput(
    'unpackable',
    `${quote(entry)} is not a file, directory or symbolic link: remove it, or exclude it in .apcignore.`,
  )
}
