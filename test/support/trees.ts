import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'

/**
 * A tree as data: a map of paths (bytes as latin1) to entries. Parents come first. Times are set last and in reverse
 * order, so that creating entries does not change the time of their directory.
 */
export type TreeSpec = Readonly<Record<string, EntrySpec>>

export type EntrySpec =
  | ({ readonly file: string; readonly xattrs?: Readonly<Record<string, string>> } & Attributes)
  | ({ readonly directory: true; readonly xattrs?: Readonly<Record<string, string>> } & Attributes)
  | ({ readonly symlink: string } & Omit<Attributes, 'mode'>)
  | { readonly link: string }
  | { readonly fifo: true }
  | { readonly hole: number }

interface Attributes {
  readonly mode?: number
  readonly owner?: readonly [uid: number, gid: number]
  /** In seconds, with up to nine decimal places: `1000000000.123456789`. */
  readonly mtime?: string
}

export function at(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')])
}

export function makeTree(root: string, spec: TreeSpec): void {
  mkdirSync(root, { recursive: true })
  for (const [path, entry] of Object.entries(spec)) {
    const place = at(root, path)
    if ('file' in entry) writeFileSync(place, entry.file)
    else if ('directory' in entry) mkdirSync(place)
    else if ('symlink' in entry) symlinkSync(Buffer.from(entry.symlink, 'latin1'), place)
    else if ('link' in entry) linkSync(at(root, entry.link), place)
    else if ('hole' in entry) execFileSync('truncate', ['-s', String(entry.hole), place.toString()])
    else execFileSync('mkfifo', [place.toString()])
    if ('owner' in entry) lchownSync(place, ...entry.owner)
    if ('mode' in entry) chmodSync(place, entry.mode)
    if ('xattrs' in entry)
      for (const [name, value] of Object.entries(entry.xattrs ?? {}))
        execFileSync('setfattr', ['-h', '-n', name, '-v', value, place.toString()])
  }
  for (const [path, entry] of Object.entries(spec).reverse())
    if ('mtime' in entry) execFileSync('touch', ['-h', '-d', `@${entry.mtime}`, at(root, path).toString()])
}

/**
 * Ground truth: describes each entry below `root` in one line, with `lstat`, content and attributes. Two trees are
 * equal when their descriptions are.
 */
export function describeTree(root: string): Record<string, string> {
  // A file may be called `__proto__`.
  const tree = new Map<string, string>()
  const attributes = userAttributes(root)
  const walk = (path: string) => {
    for (const name of readdirSync(at(root, path), { encoding: 'buffer' })) {
      const child = path === '' ? name.toString('latin1') : `${path}/${name.toString('latin1')}`
      const stats = lstatSync(at(root, child), { bigint: true })
      const mode = (Number(stats.mode) & 0o7777).toString(8)
      const kept = `${mode} ${stats.uid}:${stats.gid} ${stats.mtimeNs}${attributes.get(child) ?? ''}`
      if (stats.isDirectory()) {
        tree.set(child, `directory ${kept}`)
        walk(child)
      } else if (stats.isSymbolicLink())
        tree.set(child, `symlink ${kept} -> ${readlinkSync(at(root, child), { encoding: 'latin1' })}`)
      else if (stats.isFile())
        tree.set(child, `file ${kept} ${stats.size} #${contentOf(at(root, child), Number(stats.size))}`)
      else tree.set(child, `other ${stats.mode.toString(8)} ${stats.rdev}`)
    }
  }
  walk('')
  return Object.fromEntries([...tree].sort(([left], [right]) => (left < right ? -1 : 1)))
}

/** Groups of hard links, sorted; only groups with all names below `root`. */
export function linkGroups(root: string): string[][] {
  const groups = new Map<bigint, string[]>()
  for (const path of Object.keys(describeTree(root))) {
    const stats = lstatSync(at(root, path), { bigint: true })
    if (stats.isFile() && stats.nlink > 1n) groups.set(stats.ino, [...(groups.get(stats.ino) ?? []), path])
  }
  return [...groups.values()].filter((group) => group.length > 1)
}

function contentOf(path: Buffer, size: number): string {
  if (size > 1024 ** 3) return 'huge'
  return createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16)
}

function userAttributes(root: string): Map<string, string> {
  const dump = execFileSync('getfattr', ['-R', '-P', '-h', '-d', '-m', '^user\\.', '.'], {
    cwd: root,
    encoding: 'latin1',
  })
  const all = new Map<string, string>()
  for (const paragraph of dump.split('\n\n')) {
    const [head = '', ...lines] = paragraph.split('\n')
    const name = head
      .slice('# file: '.length)
      .replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)))
    all.set(name, ` ${lines.sort().join(' ')}`)
  }
  return all
}
