import { lstatSync } from 'node:fs'
import { BadInput } from '../../base/errors.js'
import { LARGEST_ID } from '../archive/limits.js'
import { bytesOf, show } from '../archive/names.js'
import { byPath, findEach, parseRecord, type TreeEntry } from '../archive/tree.js'
import { position } from './directory-filter.js'
import { INJECTED } from './engine-files.js'

/** What a plan needs to know of an entry of an upper directory. Files and directories are known by their names alone. */
export type Change = Pick<TreeEntry, 'path' | 'kind'> & Partial<TreeEntry>

const FILE_OR_DIRECTORY = ['(', '-type', 'f', '-o', '-type', 'd', ')', '-printf', '%y %P\\0']
const OTHER = ['-printf', '%y %U %G %n %i %s %P\\0']

/**
 * Everything below `upper`, in the order of the bytes of the paths.
 *
 * Directories tell the kinds of what they hold: without an `lstat` of each file, ten thousand take 5 ms instead of 17,
 * for which the archive would have to wait.
 *
 * Character devices are all taken for whiteouts: no snapshot holds either. `tellDevices` tells them apart.
 *
 * Throws `Fault` (`walk-failed`).
 */
export async function listChanges(upper: string, signal?: AbortSignal): Promise<Change[]> {
  const changes: Change[] = []
  const take = (record: string) => {
    const kind = record.startsWith('f ') ? 'file' : record.startsWith('d ') ? 'directory' : undefined
    if (!kind) changes.push({ ...parseRecord(record), device: 0 })
    else {
      const path = record.slice(2)
      changes.push(kind === 'file' && INJECTED.has(path) ? { path, kind, size: sizeOf(upper, path) } : { path, kind })
    }
  }
  await findEach(upper, [...FILE_OR_DIRECTORY, '-o', ...OTHER], take, signal)
  return changes.sort(byPath)
}

/**
 * Throws `BadInput` (`bad-owner`) for an entry at or below `filter` whose owner could not be unpacked again.
 *
 * By itself, because it takes an `lstat` of everything: the archive is written meanwhile.
 */
export async function assertOwners(upper: string, filter: string, signal?: AbortSignal): Promise<void> {
  const outOfRange: string[] = []
  const expression = ['(', '-uid', `+${LARGEST_ID}`, '-o', '-gid', `+${LARGEST_ID}`, ')', '-printf', '%P\\0']
  await findEach(upper, expression, (path) => outOfRange.push(path), signal)
  const first = outOfRange.sort().find((path) => position(path, filter) !== 'outside')
  if (first !== undefined)
    throw new BadInput(
      'bad-owner',
      `A snapshot is not possible: the owner of ${show(`/${first}`)} is out of range; ids are at most ${LARGEST_ID}.`,
    )
}

function sizeOf(upper: string, path: string): number {
  return lstatSync(Buffer.concat([Buffer.from(`${upper}/`), bytesOf(path)])).size
}
