import { BadInput } from '../../base/errors.js'
import { LARGEST_ID } from './limits.js'
import type { LedgerKind } from './member-ledger.js'
import { show } from './names.js'
import type { TreeEntry } from './tree.js'

/**
 * LAW: the tree that tar made is, name by name and kind by kind, the one that the scanner foresaw, whiteouts that
 * we asked for ourselves included. So no difference between two readers of one archive matters.
 *
 * Throws `BadInput` (`archive-refused`) that names the first entry which differs.
 */
export function validateTree(tree: readonly TreeEntry[], foreseen: ReadonlyMap<string, LedgerKind>): void {
  const files = new Map<string, { links: number; found: number; path: string }>()
  for (const entry of tree) {
    const expected = foreseen.get(entry.path)
    if (expected === undefined) throw refused(entry.path, 'nothing was to be unpacked there')
    if (onDisk(expected) !== entry.kind || (entry.device ?? 0) !== 0)
      throw refused(entry.path, `a ${expected} was to be unpacked there and a ${entry.kind} is`)
    if (entry.uid > LARGEST_ID || entry.gid > LARGEST_ID) throw refused(entry.path, 'its owner is out of range')
    if (entry.kind === 'symlink' && entry.links !== 1) throw refused(entry.path, 'it is a hard link to a symbolic link')
    if (entry.kind === 'file' && entry.links > 1) {
      const file = files.get(entry.inode)
      if (file) file.found += 1
      else files.set(entry.inode, { links: entry.links, found: 1, path: entry.path })
    }
  }
  for (const file of files.values())
    if (file.links !== file.found) throw refused(file.path, 'it is a hard link to something outside of the package')
  if (tree.length !== foreseen.size) {
    const made = new Set(tree.map((entry) => entry.path))
    const missing = [...foreseen.keys()].find((path) => !made.has(path)) ?? ''
    throw refused(missing, 'it could not be unpacked')
  }
}

function onDisk(kind: LedgerKind): TreeEntry['kind'] {
  switch (kind) {
    case 'implied':
      return 'directory'
    case 'whiteout':
      return 'character-device'
    case 'file':
    case 'directory':
    case 'symlink':
      return kind
  }
}

function refused(path: string, why: string): BadInput {
  return new BadInput('archive-refused', `Entry ${show(path)} is refused: ${why}.`)
}
