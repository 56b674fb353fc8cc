/** A tree that a stager makes and then asks to be snapshotted. They share one launch: each has a directory of its own. */
export interface OddTree {
  readonly name: string
  /** Also in ./scripts/test, which has no time for all of them. */
  readonly always?: true
  /** Perl, in the empty directory that is snapshotted. */
  readonly perl: string
  /** The query of the snapshot, where it is not that directory. */
  readonly query?: string
  /** The status and the text of the answer. */
  readonly must: RegExp
}

const TAKEN = /^200 OK$/

export const ODD_TREES: readonly OddTree[] = [
  { name: 'named pipes', perl: `POSIX::mkfifo("p$_", 0600) for 1 .. 20`, must: TAKEN },
  { name: 'sockets', perl: `our @s = map { IO::Socket::UNIX->new(Local => "s$_", Listen => 1) } 1 .. 20`, must: TAKEN },
  { name: 'devices', perl: `sys('mknodat', -100, "d$_", 020600, 256 + $_) for 3 .. 9`, must: TAKEN },
  { name: 'a forged removal', always: true, perl: `sys('mknodat', -100, 'gone', 020600, 0)`, must: /^(200 OK$|499 )/ },
  { name: 'a name of removals', always: true, perl: `open my $f, '>', '.wh.passwd'`, must: /^499 .*\.wh\./ },
  {
    name: 'names that are not UTF-8, with line breaks and escapes',
    always: true,
    perl: `for my $name ("\\xff\\xfe", "a\\nb", "\\e[31mred", '-rf', ' ', "'", '\\\\n', "\\x{1}") { open my $f, '>', $name or die; }`,
    must: TAKEN,
  },
  { name: 'names of 255 bytes', perl: `for my $c ('a' .. 'z') { open my $f, '>', $c x 255 or die }`, must: TAKEN },
  {
    name: 'directories too deep for a path',
    perl: `for (1 .. 2000) { mkdir 'deep-deep' or die "$!"; chdir 'deep-deep' or die "$!" }`,
    must: /^(200 OK$|499 )/,
  },
  {
    name: 'an attribute as large as the filesystem takes',
    perl: `open my $f, '>', 'f'; sys('lsetxattr', 'f', 'user.big', 'v' x 3500, 3500, 0)`,
    must: TAKEN,
  },
  {
    name: 'an attribute that overlayfs would read elsewhere',
    always: true,
    perl: `mkdir 'd'; sys('lsetxattr', 'd', 'user.overlay.redirect', '/etc', 4, 0); sys('lsetxattr', 'd', 'user.overlay.opaque', 'y', 1, 0)`,
    must: TAKEN,
  },
  { name: 'a file of a tebibyte of holes', perl: `open my $f, '>', 'hole'; truncate $f, 1 << 40`, must: TAKEN },
  {
    name: 'more holes than a package may have',
    always: true,
    perl: `for (1 .. 20) { open my $f, '>', "h$_"; truncate $f, 1 << 40 }`,
    must: /^499 /,
  },
  { name: 'a thousand links to one file', perl: `open my $f, '>', 'f'; link 'f', "l$_" for 1 .. 1000`, must: TAKEN },
  { name: 'ten thousand files', perl: `for (1 .. 10_000) { open my $f, '>', "f$_" }`, must: TAKEN },
  {
    name: 'links to the host',
    always: true,
    perl: `symlink $ENV{HOST_FILE}, 'file'; symlink '/proc/1/root', 'root'; symlink '../' x 40 . 'etc', 'up'; symlink 'loop', 'loop'`,
    must: TAKEN,
  },
  {
    name: 'a directory that becomes a link and back again',
    always: true,
    perl: `mkdir 'd'; open my $f, '>', 'd/passwd'; symlink '/etc', 'l';
      unless (fork) { for (1 .. 20_000) { rename 'd', 'x'; rename 'l', 'd'; rename 'd', 'l'; rename 'x', 'd' } POSIX::_exit(0) }`,
    must: TAKEN,
  },
  {
    name: 'files that grow meanwhile',
    perl: `for my $n (1 .. 4) { unless (fork) { open my $f, '>', "f$n"; for (1 .. 200) { syswrite $f, 'x' x 4096 } POSIX::_exit(0) } }`,
    must: TAKEN,
  },
  {
    name: 'an owner that is out of range',
    perl: `open my $f, '>', 'f'; chown 3_000_000_000, 3_000_000_000, 'f'`,
    must: /^499 .*owner of "\/odd\/an-owner/,
  },
  {
    name: 'times that no tar has digits for',
    perl: `for my $t (-1, 1 << 33, 1 << 34) { open my $f, '>', "f$t"; sys('utimensat', -100, "f$t", pack('q4', $t, 5, $t, 5), 0) }`,
    must: TAKEN,
  },
  {
    name: 'every mode',
    perl: `for my $m (0, 01777, 04755, 07777) { open my $f, '>', "f$m"; chmod $m, "f$m" }`,
    must: TAKEN,
  },
  { name: 'nothing at all', perl: `rmdir '/odd/nothing-at-all'`, must: /^499 / },
  { name: 'the processes', perl: '', query: 'directory=/proc', must: /^499 / },
  { name: 'the devices of the kernel', perl: '', query: 'directory=/sys/kernel', must: /^499 / },
  { name: 'the dependencies', always: true, perl: '', query: 'directory=/stagerfs/etc', must: /^499 / },
  { name: 'a relative path', perl: '', query: 'directory=odd', must: /^(499 |200 OK$)/ },
  { name: 'a path that climbs', perl: '', query: 'directory=/odd/../../../etc', must: /^499 / },
  { name: 'a path with NUL', perl: '', query: 'directory=/odd%00/etc', must: /^499 / },
  {
    name: 'a file instead of a directory',
    perl: `open my $f, '>', 'f'`,
    query: 'directory=/odd/a-file-instead-of-a-directory/f',
    must: /^(200 OK$|499 )/,
  },
  {
    name: 'a link instead of a directory',
    perl: `symlink '/', 'l'`,
    query: 'directory=/odd/a-link-instead-of-a-directory/l',
    must: /^(200 OK$|499 )/,
  },
]

/** The directory of such a tree. */
export function placeOf({ name }: OddTree): string {
  return `/odd/${name.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()}`
}
