import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type BigIntStats } from 'node:fs'
import { at } from '../../support/trees.js'

/**
 * Describes each entry below a directory in one line, by path (bytes as latin1): kind, mode, owners, modification time
 * in nanoseconds, size, content, data segments and holes, extended attributes, target, and for hard links the first
 * name below the directory. Two trees are equal when their lines are.
 *
 * It contains only what a snapshot keeps (isolation/snapshot, the LAW): of attributes `user.*` without
 * `user.overlay.*`, and of sockets, named pipes and devices only their number.
 */
export interface GroundTruth {
  readonly entries: Readonly<Record<string, string>>
  readonly sockets: number
  /** Named pipes and devices. */
  readonly special: number
}

/** @param holes `written out` for a tree of the Engine, which does not preserve holes: they count as data */
export function groundTruth(root: string, holes: 'kept' | 'written out' = 'kept'): GroundTruth {
  const entries: Record<string, string> = {}
  const attributes = userAttributes(root)
  const found = new Map<string, BigIntStats>()
  const walk = (path: string) => {
    for (const name of readdirSync(at(root, path), { encoding: 'buffer' })) {
      const child = path === '' ? name.toString('latin1') : `${path}/${name.toString('latin1')}`
      const stats = lstatSync(at(root, child), { bigint: true, throwIfNoEntry: false })
      if (!stats) {
        entries[child] = 'listed, but not there'
        continue
      }
      found.set(child, stats)
      if (stats.isDirectory()) walk(child)
    }
  }
  walk('')
  const paths = [...found.keys()].sort()
  // The rule of GNU tar: a file is sparse when it has fewer blocks than its length needs. Smaller holes become zeros.
  const isSparse = ({ blocks, size }: BigIntStats) => holes === 'kept' && blocks < size / 512n
  const sparse = paths.filter((path) => found.get(path)!.isFile() && isSparse(found.get(path)!))
  const data = dataOf(root, sparse)

  const firstNames = new Map<string, string>()
  let sockets = 0
  let special = 0
  for (const path of paths) {
    const stats = found.get(path)!
    const place = at(root, path)
    const kept = `${(stats.mode & 0o7777n).toString(8)} ${stats.uid}:${stats.gid} ${stats.mtimeNs}${attributes.get(path) ?? ''}`
    if (stats.isDirectory()) entries[path] = `directory ${kept}`
    else if (stats.isSymbolicLink())
      entries[path] = `symlink ${kept} -> ${JSON.stringify(readlinkSync(place, { encoding: 'latin1' }))}`
    else if (stats.isFile()) {
      const inode = `${stats.dev}:${stats.ino}`
      const first = firstNames.get(inode)
      if (first === undefined) firstNames.set(inode, path)
      const segments = data.get(path) ?? [[0, Number(stats.size)]]
      const same = first === undefined ? '' : ` same as ${JSON.stringify(first)}`
      entries[path] = `file ${kept} ${stats.size} data ${JSON.stringify(segments)} #${digestOf(place, segments)}${same}`
    } else if (stats.isSocket()) sockets += 1
    else special += 1
  }
  return { entries, sockets, special }
}

type Segments = readonly (readonly [from: number, to: number])[]

/** Hashes only the data segments: a file of a tebibyte may be one hole. */
function digestOf(place: Buffer, segments: Segments): string {
  const hash = createHash('sha256')
  const chunk = Buffer.alloc(1024 * 1024)
  const file = openSync(place, 'r')
  try {
    for (const [from, to] of segments)
      for (let position = from; position < to;) {
        const read = readSync(file, chunk, 0, Math.min(chunk.length, to - position), position)
        if (read === 0) throw new Error(`${place.toString()} is shorter than lstat says`)
        hash.update(chunk.subarray(0, read))
        position += read
      }
  } finally {
    closeSync(file)
  }
  return hash.digest('hex').slice(0, 16)
}

/** Data segments by SEEK_DATA and SEEK_HOLE, which Node.js does not support. */
const SEGMENTS = `
use Fcntl;
$/ = "\\0";
while (my $path = <STDIN>) {
  chomp $path;
  sysopen(my $file, $path, O_RDONLY) or die "$path: $!";
  my ($at, $size, @found) = (0, -s $file);
  while ($at < $size and defined(my $from = sysseek($file, $at, 3))) {
    $at = sysseek($file, $from, 4);
    push @found, sprintf "[%d,%d]", $from, $at;
  }
  print "[", join(",", @found), "]\\n";
}`

function dataOf(root: string, paths: readonly string[]): Map<string, Segments> {
  if (paths.length === 0) return new Map()
  const input = Buffer.concat(paths.map((path) => Buffer.from(`./${path}\0`, 'latin1')))
  const lines = execFileSync('perl', ['-e', SEGMENTS], { cwd: root, input, encoding: 'utf8' }).split('\n')
  return new Map(paths.map((path, index) => [path, JSON.parse(lines[index]!) as Segments]))
}

/** In hexadecimal, by path. */
function userAttributes(root: string): Map<string, string> {
  const options = ['-R', '-P', '-h', '-d', '-e', 'hex', '-m', '^user\\.']
  const getfattr = spawnSync('getfattr', [...options, '.'], { cwd: root, encoding: 'latin1', maxBuffer: 64 * 2 ** 20 })
  // Names that are listed but do not exist get entries of their own.
  const failures = getfattr.stderr
    .split('\n')
    .filter((line) => line !== '' && !line.endsWith(': No such file or directory'))
  if (failures.length > 0) throw new Error(failures[0])
  const all = new Map<string, string>()
  for (const paragraph of getfattr.stdout.split('\n\n')) {
    const [head = '', ...lines] = paragraph.split('\n')
    const name = head
      .slice('# file: '.length)
      .replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)))
    const kept = lines.filter((line) => line !== '' && !line.startsWith('user.overlay.')).sort()
    if (kept.length > 0) all.set(name, ` ${kept.join(' ')}`)
  }
  return all
}
