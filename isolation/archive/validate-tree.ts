import { BadInput } from '../../base/errors.js'
import { LARGEST_ID } from './limits.js'
import type { LedgerKind } from './member-ledger.js'
import { show } from './names.js'
import { findEach, parseRecord, type TreeEntry } from './tree.js'

/** What a tree takes up. Files of several names count once. */
export interface TreeSize {
  /** Of all files, holes included. */
  readonly bytes: number
  /** On the disk, directories included. */
  readonly diskBytes: number
}

/** The unit of %b. */
const DISK_BLOCK = 512

/**
 * LAW: the tree that tar made below `root` is, name by name and kind by kind, the one that the scanner foresaw,
 * whiteouts that we asked for ourselves included. So no difference between two readers of one archive matters; and from
 * here on `foreseen` is the list of the tree.
 *
 * In one walk, each entry looked at as it comes: what a tree needs of memory is `foreseen`. Devices are not asked for
 * their numbers: without CAP_MKNOD, which the jail does not have, the kernel makes none but the whiteout's 0:0.
 *
 * Throws `BadInput` (`archive-refused`) that names the first entry which differs, and `Fault` (`walk-failed`).
 */
export async function validateTree(
  root: string,
  foreseen: ReadonlyMap<string, LedgerKind>,
  signal: AbortSignal,
): Promise<TreeSize> {
  const files = new Map<string, { links: number; found: number; path: string }>()
  let [found, bytes, diskBlocks] = [0, 0, 0]
  const look = (record: string) => {
    const space = record.indexOf(' ')
    const entry = parseRecord(record.slice(space + 1))
    assertForeseen(entry, foreseen.get(entry.path))
    found += 1
    const file = files.get(entry.inode)
    if (file) {
      file.found += 1
      return
    }
    if (entry.kind === 'file' && entry.links > 1)
      files.set(entry.inode, { links: entry.links, found: 1, path: entry.path })
    if (entry.kind === 'file') bytes += entry.size
    diskBlocks += Number(record.slice(0, space))
  }
  await findEach(root, ['-printf', '%b %y %U %G %n %i %s %P\\0'], look, signal)
  for (const file of files.values())
    if (file.links !== file.found) throw refused(file.path, 'it is a hard link to something outside of the package')
  if (found !== foreseen.size) throw refused(await firstMissing(root, foreseen, signal), 'it could not be unpacked')
  return { bytes, diskBytes: diskBlocks * DISK_BLOCK }
}

function assertForeseen(entry: TreeEntry, expected: LedgerKind | undefined): void {
  const { path, kind, uid, gid, links } = entry
  if (expected === undefined) throw refused(path, 'nothing was to be unpacked there')
  if (onDisk(expected) !== kind) throw refused(path, `a ${expected} was to be unpacked there and a ${kind} is`)
  if (uid > LARGEST_ID || gid > LARGEST_ID) throw refused(path, 'its owner is out of range')
  if (kind === 'symlink' && links !== 1) throw refused(path, 'it is a hard link to a symbolic link')
}

/** A second walk, for the name in a refusal alone. */
async function firstMissing(
  root: string,
  foreseen: ReadonlyMap<string, LedgerKind>,
  signal: AbortSignal,
): Promise<string> {
  const missing = new Set(foreseen.keys())
  await findEach(root, ['-printf', '%P\\0'], (path) => missing.delete(path), signal)
  const [first = ''] = missing
  return first
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
