/** One entry of an archive, as far as two archives are compared. */
export interface ArchiveEntry {
  /** A hard link is the file that it names. */
  readonly kind: 'file' | 'directory' | 'symlink'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Seconds, with a fraction where the archive has one. */
  readonly mtime: string
  /** Of a file. */
  readonly size: number
  /** Of a symbolic link. Bytes as latin1. */
  readonly target: string
  /** Extended attributes that packages keep. */
  readonly attributes: string
  /** Digest of a file. */
  readonly content: string
}

/**
 * The entries of an archive by their paths from the root, bytes as latin1, packed: an archive has up to a million, and an
 * object takes several times the memory of a text.
 */
export type ArchiveEntries = ReadonlyMap<string, PackedEntry>
export type PackedEntry = string & { readonly packed: unique symbol }

/** No field contains a NUL. */
const SEPARATOR = '\0'

export function packEntry(entry: ArchiveEntry): PackedEntry {
  const { kind, mode, uid, gid, mtime, size, target, attributes, content } = entry
  return [kind, mode, uid, gid, mtime, size, target, encodeURIComponent(attributes), content].join(
    SEPARATOR,
  ) as PackedEntry
}

export function unpackEntry(packed: PackedEntry): ArchiveEntry {
  const [kind, mode, uid, gid, mtime = '', size, target = '', attributes = '', content = ''] = packed.split(SEPARATOR)
  return {
    kind: kind as ArchiveEntry['kind'],
    mode: Number(mode),
    uid: Number(uid),
    gid: Number(gid),
    mtime,
    size: Number(size),
    target,
    attributes: decodeURIComponent(attributes),
    content,
  }
}
