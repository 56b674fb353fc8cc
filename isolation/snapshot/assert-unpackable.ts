import { BadInput, TooLarge } from '../../base/errors.js'
import { DEFAULT_ARCHIVE_LIMITS, LARGEST_ID } from '../archive/limits.js'
import type { IdMap } from '../archive/id-map.js'
import type { MappedOwners } from '../archive/mapped-owners.js'
import { show } from '../archive/names.js'
import { findEach } from '../archive/tree.js'
import { INJECTED_FILES } from '../injected-files.js'
import type { SnapshotScope } from './snapshot-scope.js'

const FIELDS = 5

/** Prints `o … PATH` for an owner out of range, and `f SIZE BLOCKS LINKS INODE PATH` for each file. */
function expression(owners: MappedOwners | undefined): string[] {
  return [
    ...['-type', 'f,d,l', '(', ...outOfRange('-uid', owners?.uids), '-o', ...outOfRange('-gid', owners?.gids), ')'],
    ...['-printf', 'o 0 0 0 0 %P\\0'],
    ...[',', '-type', 'f', '-printf', 'f %s %b %n %i %P\\0'],
  ]
}

function outOfRange(test: '-uid' | '-gid', ids: IdMap | undefined): string[] {
  if (!ids) return [test, `+${LARGEST_ID}`]
  const within = ids.ranges.map(({ inside, outside, length }) => {
    const most = Math.min(length, LARGEST_ID + 1 - inside)
    // find compares with numbers that are not negative.
    return [...(outside === 0 ? [] : [test, `+${outside - 1}`]), test, `-${outside + Math.max(most, 0)}`]
  })
  return ['!', '(', ...within.flatMap((range, index) => (index === 0 ? range : ['-o', ...range])), ')']
}

/**
 * Checks what takes an `lstat` of everything: whether owners and lengths allow the archive to be unpacked again. The
 * walk leaves this out, because tar can read meanwhile.
 *
 * Throws `BadInput` (`bad-owner`), `TooLarge` (`snapshot-too-large`), `Fault` (`walk-failed`).
 */
export async function assertUnpackable(
  upper: string,
  scope: SnapshotScope,
  owners: MappedOwners | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const { bytes: mostData, apparentBytes: longest } = DEFAULT_ARCHIVE_LIMITS
  const linked = new Set<string>()
  let badOwner: string | undefined
  let [length, data] = [0, 0]
  const check = (record: string) => {
    const { fields, path } = parse(record)
    if (scope.placeOf(path) === 'outside' || INJECTED_FILES.has(path)) return
    const [letter, size, blocks, links, inode = ''] = fields
    if (letter === 'o') {
      if (badOwner === undefined || path < badOwner) badOwner = path
      return
    }
    // An archive holds a file with several names once.
    if (links !== '1' && linked.has(inode)) return
    if (links !== '1') linked.add(inode)
    length += Number(size)
    data += Math.min(Number(size), Number(blocks) * 512)
  }
  await findEach(upper, expression(owners), check, signal)
  if (badOwner !== undefined)
    throw new BadInput(
      'bad-owner',
      `A snapshot is not possible: the owner of ${show(`/${badOwner}`)} is out of range; ids are ${owners ? `those that the Docker Engine gives to containers: ${owners.uids.insideInWords}` : `at most ${LARGEST_ID}`}.`,
    )
  if (data > mostData || length > longest)
    throw new TooLarge(
      'snapshot-too-large',
      `A snapshot is not possible: its files hold ${data} bytes in a length of ${length}; a package holds at most ${mostData} in a length of ${longest}. Remove some, or exclude them.`,
    )
}

function parse(record: string): { readonly fields: readonly string[]; readonly path: string } {
  const fields = record.split(' ', FIELDS)
  return { fields, path: record.slice(fields.join(' ').length + 1) }
}
