/**
 * What a program in a root sees below a directory, by path (bytes as latin1, without a slash at the beginning): the ground
 * truth of test/fixtures/stagers/file-operations.pl. It shares no code with stagerd, and reads what the container reads.
 */
export type SeenInside = ReadonlyMap<string, SeenEntry>

export interface SeenEntry {
  /** `special` is a named pipe or a device; `missing` a name that is listed, but is not there. */
  readonly kind: 'directory' | 'file' | 'symlink' | 'socket' | 'special' | 'missing'
  /** Octal. */
  readonly mode: string
  /** `UID:GID` */
  readonly owners: string
  /** Modification time: seconds, and the nanoseconds after them. */
  readonly time: string
  /** Paths with the same one are hard links. */
  readonly inode: string
  /** The number of names of the inode, here and elsewhere. */
  readonly links: number
  readonly size: string
  /** Of a file, or the target of a symbolic link, in hexadecimal; a long run of equal bytes by its length. */
  readonly content: string
  /** Where a sparse file has data; empty for any other. */
  readonly segments: string
  /** `NAME=VALUE` of `user.*` without `user.overlay.*`, in hexadecimal, in order. */
  readonly attributes: string
}

export function seenInside(lines: readonly string[]): SeenInside {
  return new Map(
    lines.map((line): [string, SeenEntry] => {
      const [path, kind, mode, owners, time, inode, links, ...more] = line.split(' ') as [string, SeenEntry['kind']] &
        [string, string, string, string, string, string, ...string[]]
      const [size = '', content = '', segments = '', attributes = ''] = more
      const stat = { kind, mode, owners, time, inode, links: Number(links), size }
      return [Buffer.from(path, 'hex').toString('latin1'), { ...stat, content, segments, attributes }]
    }),
  )
}

/** Two trees are equal when these are. */
export type Shown = Readonly<Record<string, string>>

/**
 * One line for each entry that a snapshot keeps, by path: sockets, named pipes and devices are not shown. Of hard
 * links, all but the first name the first.
 */
export function shown(seen: SeenInside): Shown {
  const first = new Map<string, string>()
  const lines: [string, string][] = []
  for (const path of [...seen.keys()].sort()) {
    const entry = seen.get(path)!
    const { kind, mode, owners, time, inode, size, content, segments, attributes } = entry
    if (kind === 'socket' || kind === 'special') continue
    const same = kind === 'file' ? first.get(inode) : undefined
    first.set(inode, same ?? path)
    const of = kind === 'directory' ? '' : `${size} ${content} data ${segments}`
    const link = same === undefined ? '' : `same as ${same}`
    lines.push([path, [kind, mode, owners, time, of, attributes, link].join(' | ')])
  }
  // A file can be called `__proto__`.
  return Object.fromEntries(lines)
}

// docs/snapshots.md: "It keeps times from 1970 to 2262".
const LATEST = 9_223_372_036n

/**
 * What an Engine is sure to keep of a layer in a root: no holes, no attributes without a value or with an equals sign in their
 * names, and of times before 1970 or after 2262 the nearest (docs/snapshots.md). Packages under /stagerfs keep them all.
 */
export function asRootsKeep(seen: SeenInside): SeenInside {
  return new Map(
    [...seen].map(([path, entry]) => {
      const attributes = entry.attributes.split(',').filter((attribute) => /^(?:(?!3d)..)+=./.test(attribute))
      return [path, { ...entry, segments: '', time: nearest(entry.time), attributes: attributes.join(',') }]
    }),
  )
}

function nearest(time: string): string {
  const second = BigInt(time.split('.')[0]!)
  if (second < 0n) return '0.000000000'
  return second < LATEST ? time : `${LATEST}.000000000`
}
