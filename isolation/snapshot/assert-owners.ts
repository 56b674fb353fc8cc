import { BadInput } from '../../base/errors.js'
import { LARGEST_ID } from '../archive/limits.js'
import { show } from '../archive/names.js'
import { findEach } from '../archive/tree.js'
import type { SnapshotScope } from './snapshot-scope.js'

const OUT_OF_RANGE = ['(', '-uid', `+${LARGEST_ID}`, '-o', '-gid', `+${LARGEST_ID}`, ')', '-printf', '%P\\0']

/**
 * Throws `BadInput` (`bad-owner`) for an entry whose owner could not be unpacked again.
 *
 * By itself, because it takes an `lstat` of everything: the archive is written meanwhile.
 */
export async function assertOwners(upper: string, scope: SnapshotScope, signal?: AbortSignal): Promise<void> {
  let first: string | undefined
  await findEach(
    upper,
    OUT_OF_RANGE,
    (path) => {
      if (scope.placeOf(path) !== 'outside' && (first === undefined || path < first)) first = path
    },
    signal,
  )
  if (first !== undefined)
    throw new BadInput(
      'bad-owner',
      `A snapshot is not possible: the owner of ${show(`/${first}`)} is out of range; ids are at most ${LARGEST_ID}.`,
    )
}
