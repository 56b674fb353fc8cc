import { BadInput } from '../../base/errors.js'
import { LARGEST_ID } from './limits.js'
import type { ExpectedKind } from './expected-tree.js'
import { type MappedOwners, ownerInside } from './mapped-owners.js'
import { show } from './names.js'
import { findEach, parseRecord, type TreeEntry } from './tree.js'

/** Size of a tree. Files with several hard links count once. */
export interface TreeSize {
  /** Sum of the lengths of all files, holes included. */
  readonly bytes: number
  /** Disk usage, directories included. */
  readonly diskBytes: number
}

/** The unit of `find -printf %b`. */
const DISK_BLOCK = 512

/**
 * LAW: the tree that tar created below `root` equals the expected tree of the scanner in names and kinds, including the
 * whiteouts that stagerd added. So it does not matter if scanner and tar interpret an archive differently. After this,
 * `expected` is a complete list of the tree.
 *
 * The check is a single walk and needs no memory beyond `expected`. It does not check device numbers: the jail has no
 * CAP_MKNOD, so the kernel permits only the whiteout device 0:0.
 *
 * Throws `BadInput` (`archive-refused`), which names the first differing entry, and `Fault` (`walk-failed`).
 */
export async function validateTree(
  root: string,
  expected: ReadonlyMap<string, ExpectedKind>,
  owners: MappedOwners | undefined,
  signal: AbortSignal,
): Promise<TreeSize> {
  const files = new Map<string, { links: number; found: number; path: string }>()
  let [found, bytes, diskBlocks] = [0, 0, 0]
  const check = (record: string) => {
    const space = record.indexOf(' ')
    const entry = parseRecord(record.slice(space + 1))
    assertExpected(entry, expected.get(entry.path), owners)
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
  await findEach(root, ['-printf', '%b %y %U %G %n %i %s %P\\0'], check, signal)
  for (const file of files.values())
    if (file.links !== file.found) throw refused(file.path, 'it is a hard link to a file outside the package')
  if (found !== expected.size) throw refused(await firstMissing(root, expected, signal), 'it could not be unpacked')
  return { bytes, diskBytes: diskBlocks * DISK_BLOCK }
}

function assertExpected(entry: TreeEntry, expected: ExpectedKind | undefined, owners: MappedOwners | undefined): void {
  const { path, kind, links } = entry
  const owner = ownerInside(entry, owners)
  if (expected === undefined) throw refused(path, 'the archive has no such entry, but it was unpacked')
  if (onDisk(expected) !== kind) throw refused(path, `a ${expected} was expected but a ${kind} was unpacked`)
  if (!owner || owner.uid > LARGEST_ID || owner.gid > LARGEST_ID) throw refused(path, 'its owner is out of range')
  if (kind === 'symlink' && links !== 1) throw refused(path, 'it is a hard link to a symbolic link')
}

/** A second walk, only to find a name for the error message. */
async function firstMissing(
  root: string,
  expected: ReadonlyMap<string, ExpectedKind>,
  signal: AbortSignal,
): Promise<string> {
  const missing = new Set(expected.keys())
  await findEach(root, ['-printf', '%P\\0'], (path) => missing.delete(path), signal)
  const [first = ''] = missing
  return first
}

function onDisk(kind: ExpectedKind): TreeEntry['kind'] {
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
