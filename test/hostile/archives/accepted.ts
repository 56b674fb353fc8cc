import { gzipSync } from 'node:zlib'
import { END, memberBlocks, tarOf, type TarMember } from '../../support/tar-builder.js'
import type { AcceptedArchive } from './hostile-archive.js'

const accepted = (
  what: string,
  becomes: Readonly<Record<string, string>>,
  ...members: readonly TarMember[]
): AcceptedArchive => ({ what, archive: tarOf(...members), becomes })
const pathOf = (name: string, data = '') => ({ name: 'x', data, pax: { path: name } })

/** Archives that are odd and harmless. They are taken, and become exactly what they say: nothing of it is followed. */
export const ACCEPTED: readonly AcceptedArchive[] = [
  // Names.
  accepted('absolute names', { app: 'directory', 'app/x': 'file x' }, { name: '/app/x', data: 'x' }),
  accepted('names with many slashes', { app: 'directory', 'app/x': 'file x' }, { name: '///app////x', data: 'x' }),
  accepted(
    'names from the current directory',
    { app: 'directory', 'app/x': 'file x' },
    { name: './', type: '5' },
    { name: './app/./x', data: 'x' },
  ),
  ...[
    ['a line break', 'a\nb'],
    ['an escape of a terminal', '\x1b[31mred'],
    ['bytes that are not UTF-8', '\xff\xfe'],
    ['what a shell would run', '$(id);`id`|id'],
    ['the look of an option', '--checkpoint-action=exec=id'],
    ['quotes and backslashes', `'"\\n`],
    ['blanks alone', '   '],
    ['three dots', '...'],
    ['a colon, as of a host', 'host:file'],
    ['a name of Windows', 'C:\\windows'],
    ['a wildcard', '*'],
    ['the look of a mode of overlayfs', 'trusted.overlay.opaque'],
    ['255 bytes', 'n'.repeat(255)],
    ['names of JavaScript', '__proto__'],
  ].map(([what, name]) => accepted(`a name of ${what}`, { [name!]: 'file ' }, pathOf(name!))),
  accepted(
    'names that differ by case',
    { A: 'file 1', a: 'file 2' },
    { name: 'A', data: '1' },
    { name: 'a', data: '2' },
  ),
  accepted(
    'names that Unicode calls equal',
    { 'caf\xc3\xa9': 'file 1', 'cafe\xcc\x81': 'file 2' },
    pathOf('caf\xc3\xa9', '1'),
    pathOf('cafe\xcc\x81', '2'),
  ),
  accepted(
    'a name of a member of /etc',
    { etc: 'directory', 'etc/shadow': 'file x' },
    { name: 'etc/shadow', data: 'x' },
  ),

  // Links.
  ...['/etc/passwd', 'nowhere', 'l', '../../../..', '../canary/etc/passwd', '/proc/self/root', '\x1b[2J'].map(
    (target) =>
      accepted(
        `a symbolic link to ${JSON.stringify(target)}`,
        { l: `link ${target}` },
        { name: 'l', type: '2', linkName: target },
      ),
  ),
  accepted(
    'a symbolic link, and then a file of the same name: the file replaces the link',
    { l: 'file new' },
    { name: 'l', type: '2', linkName: 'hook' },
    { name: 'l', data: 'new' },
  ),
  accepted(
    'a symbolic link whose target is replaced',
    { l: 'link b' },
    { name: 'l', type: '2', linkName: 'a' },
    { name: 'l', type: '2', linkName: 'b' },
  ),
  accepted(
    'a hard link by an absolute name, which is one of the package',
    { a: 'file x', b: 'file x' },
    { name: 'a', data: 'x' },
    { name: 'b', type: '1', linkName: '/a' },
  ),
  accepted(
    'a file that replaces one of two hard links',
    { a: 'file x', b: 'file new' },
    { name: 'a', data: 'x' },
    { name: 'b', type: '1', linkName: 'a' },
    { name: 'b', data: 'new' },
  ),

  // Entries that are there twice, and what old archives say.
  accepted('a file twice: the later one', { a: 'file 2' }, { name: 'a', data: '1' }, { name: 'a', data: '2' }),
  accepted(
    'a directory twice',
    { d: 'directory' },
    { name: 'd/', type: '5' },
    { name: './d/', type: '5', mode: 0o700 },
  ),
  accepted('a directory of an old archive', { d: 'directory' }, { name: 'd/', type: '\0' }),
  accepted('a contiguous file', { a: 'file x' }, { name: 'a', type: '7', data: 'x' }),
  accepted('setuid, setgid and sticky bits', { su: 'file x' }, { name: 'su', data: 'x', mode: 0o7777 }),
  accepted(
    'no right at all',
    { d: 'directory', 'd/a': 'file x' },
    { name: 'd/', type: '5', mode: 0 },
    { name: 'd/a', data: 'x', mode: 0 },
  ),
  accepted('the largest owner', { a: 'file x' }, { name: 'a', data: 'x', uid: 2 ** 31 - 1, gid: 2 ** 31 - 1 }),
  accepted('a time before 1970', { a: 'file ' }, { name: 'a', mtime: -1 }),
  accepted('a time in the far future', { a: 'file ' }, { name: 'a', pax: { mtime: '9223372036854775807.999999999' } }),
  accepted('a time long ago', { a: 'file ' }, { name: 'a', pax: { mtime: '-9223372036854775808' } }),
  accepted('a comment for all', { a: 'file ' }, { name: 'g', type: 'g', data: '16 comment=1234\n' }, { name: 'a' }),
  accepted('a size that is said twice', { a: 'file abc' }, { name: 'a', data: 'abc', pax: { size: '3' } }),
  accepted(
    'capabilities and labels of files, which are dropped',
    { a: 'file ' },
    { name: 'a', pax: { 'SCHILY.xattr.security.capability': '\x01\0\0\x02', 'RHT.security.selinux': 'x' } },
  ),
  accepted(
    'an access list, which is dropped',
    { a: 'file ' },
    { name: 'a', pax: { 'SCHILY.acl.access': 'user::rwx' } },
  ),
  {
    what: 'zeros behind the end',
    archive: Buffer.concat([memberBlocks({ name: 'a' }), END, Buffer.alloc(9000)]),
    becomes: { a: 'file ' },
  },
  {
    what: 'ten thousand zeros in a few bytes',
    archive: gzipSync(tarOf({ name: 'a', data: Buffer.alloc(10_000) })),
    becomes: { a: 'file of 10000' },
  },
]
