import type { TarMember } from '../../support/tar-builder.js'
import { tarOf } from '../../support/tar-builder.js'
import type { RefusedArchive } from './hostile-archive.js'

const file = { name: 'app/file', data: 'x' }

/** Every place of a tar that can name a file. Each must be judged as the others are. */
const NAME_CARRIERS: Readonly<Record<string, (name: string) => readonly TarMember[]>> = {
  'in the prefix of a header': (name) => [{ name: name.slice(name.indexOf('/') + 1), prefix: name.split('/')[0]! }],
  'in an extended header': (name) => [{ name: 'fine', data: 'evil', pax: { path: name } }],
  'as a GNU long name': (name) => [
    { name: '././@LongLink', type: 'L', data: `${name}\0` },
    { name: 'fine', data: 'evil' },
  ],
  'as the name of a sparse file in format 1.0': (name) => [
    {
      name: 'GNUSparseFile.1/fine',
      data: '0\n'.padEnd(512, '\0'),
      pax: {
        'GNU.sparse.major': '1',
        'GNU.sparse.minor': '0',
        'GNU.sparse.name': name,
        'GNU.sparse.realsize': '0',
      },
    },
  ],
  'as the name of a sparse file in format 0.1': (name) => [
    {
      name: 'GNUSparseFile.1/fine',
      data: 'evil',
      pax: {
        'GNU.sparse.size': '4',
        'GNU.sparse.numblocks': '1',
        'GNU.sparse.name': name,
        'GNU.sparse.map': '0,4',
      },
    },
  ],
  'of a directory': (name) => [{ name: 'fine', type: '5', pax: { path: `${name}/` } }],
  'of a symbolic link': (name) => [{ name: 'fine', type: '2', linkName: 'x', pax: { path: name } }],
  'of a hard link': (name) => [{ name: 'fine', type: '1', linkName: 'app/file', pax: { path: name } }],
}

const BAD_NAMES: Readonly<Record<string, string>> = {
  'that climbs': '../escaped',
  'that climbs from below': 'app/../../escaped',
  'of a removal': 'app/.wh.gone',
  'with a part of 256 bytes': `app/${'n'.repeat(256)}`,
}

const LINK_CARRIERS: Readonly<Record<string, (target: string) => readonly TarMember[]>> = {
  'in an extended header': (target) => [
    { name: 'app/link', type: '1', linkName: 'app/file', pax: { linkpath: target } },
  ],
  'as a GNU long link': (target) => [
    { name: '././@LongLink', type: 'K', data: `${target}\0` },
    { name: 'app/link', type: '1', linkName: 'app/file' },
  ],
}

const BAD_TARGETS: Readonly<Record<string, string>> = {
  'outside by ..': '../../../etc/passwd',
  'outside by .. behind a directory': 'app/../../etc/passwd',
  'a file that is not there': 'etc/shadow',
  itself: 'app/link',
}

/** Each bad name in each place where a tar can have one. */
export const BY_CARRIER: readonly RefusedArchive[] = [
  ...Object.entries(NAME_CARRIERS).flatMap(([place, members]) =>
    Object.entries(BAD_NAMES)
      // A prefix has 155 bytes, and a name 100.
      .filter(([, name]) => !place.includes('prefix') || name.length < 100)
      .map(([which, name]) => ({
        what: `a name ${which}, ${place}`,
        archive: tarOf(file, ...members(name)),
        code: 'archive-refused',
      })),
  ),
  ...Object.entries(LINK_CARRIERS).flatMap(([place, members]) =>
    Object.entries(BAD_TARGETS).map(([which, target]) => ({
      what: `a hard link to ${which}, ${place}`,
      archive: tarOf(file, ...members(target)),
      code: 'archive-refused',
      names: 'app/link',
    })),
  ),
]
