import type { SeenEntry, SeenInside } from './seen-inside.js'

/**
 * The rule of docs/snapshots.md for what a snapshot keeps, by what a program in the container has found when it was started
 * and left behind when the snapshot was taken. It knows neither overlays nor archives, and shares no code with stagerd.
 *
 * Inodes tell what paths cannot. overlayfs keeps the inode of a directory when it copies it up, so one with another inode
 * was removed and made again; and it gives another one to a file with several names, so one with the same is untouched.
 */
export interface SnapshotOf {
  /** Undefined for everything. Paths as those of the trees. */
  readonly directory?: string | undefined
  readonly exclude: readonly string[]
}

export interface Container {
  readonly found: SeenInside
  readonly left: SeenInside
}

/** What the next container finds. Hard links have the same `inode`, which says nothing else. */
export function afterSnapshot({ found, left }: Container, of: SnapshotOf): SeenInside {
  const next = new Map<string, SeenEntry>()
  const isSameDirectory = (path: string) =>
    left.get(path)?.kind === 'directory' && left.get(path)?.inode === found.get(path)?.inode
  for (const [path, entry] of left) {
    const before = found.get(path)
    const isUntouched = before !== undefined && before.links > 1 && before.inode === entry.inode
    if (placeOf(path, of) === 'within') next.set(path, isUntouched ? entry : { ...entry, inode: `new ${entry.inode}` })
    if (placeOf(path, of) === 'above' && entry.kind === 'directory') next.set(path, entry)
  }
  for (const [path, entry] of found) {
    const isSeen = ancestorsOf(path).every((above) => placeOf(above, of) !== 'within' || isSameDirectory(above))
    if (placeOf(path, of) === 'outside' && isSeen) next.set(path, entry)
    if (placeOf(path, of) === 'above' && !next.has(path)) next.set(path, entry)
  }
  return next
}

/** What a package cannot contain, and the stager is told of. */
export interface Left {
  readonly sockets: number
  readonly special: number
}

export function leftOut({ left }: Container, of: SnapshotOf): Left {
  const kinds = [...left].filter(([path]) => placeOf(path, of) === 'within').map(([, { kind }]) => kind)
  return {
    sockets: kinds.filter((kind) => kind === 'socket').length,
    special: kinds.filter((kind) => kind === 'special').length,
  }
}

/** Whether the archive may have an entry of this path. */
export function isInSnapshot(path: string, of: SnapshotOf): boolean {
  return placeOf(path, of) !== 'outside'
}

export interface Refusal {
  /** docs/snapshots.md, "What is refused". */
  readonly code: 'reserved-name' | 'bad-owner' | 'overlay-redirect' | 'bad-directory'
  /** What the stager has to remove; undefined where it has to ask for something else. */
  readonly path?: string
}

/** Why the snapshot has to be refused; empty where it must not. */
export function refusals({ found, left }: Container, of: SnapshotOf): readonly Refusal[] {
  const all: Refusal[] = []
  const directories = new Map([...found].filter(([, { kind }]) => kind === 'directory').map(([p, e]) => [e.inode, p]))
  for (const [path, { kind, owners, inode }] of left) {
    if (placeOf(path, of) === 'outside') continue
    if (path.startsWith('.wh.', path.lastIndexOf('/') + 1)) all.push({ code: 'reserved-name', path })
    if (kind === 'socket' || kind === 'special') continue
    if (owners.split(':').some((id) => Number(id) > 2 ** 31 - 1)) all.push({ code: 'bad-owner', path })
    const was = kind === 'directory' ? directories.get(inode) : undefined
    if (was !== undefined && was !== path) all.push({ code: 'overlay-redirect', path })
  }
  const { directory } = of
  if (directory === undefined) return all
  const leadsElsewhere = ancestorsOf(directory).some(
    (path) => placeOf(path, of) === 'above' && left.get(path)?.kind !== 'directory',
  )
  if (leadsElsewhere || !(left.has(directory) || found.has(directory))) all.push({ code: 'bad-directory' })
  return all
}

function placeOf(path: string, { directory, exclude }: SnapshotOf): 'within' | 'above' | 'outside' {
  const isAtOrBelow = (top: string) => path === top || path.startsWith(`${top}/`)
  if (exclude.some(isAtOrBelow)) return 'outside'
  if (directory === undefined || isAtOrBelow(directory)) return 'within'
  return directory.startsWith(`${path}/`) ? 'above' : 'outside'
}

function ancestorsOf(path: string): string[] {
  const names = path.split('/')
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join('/'))
}
