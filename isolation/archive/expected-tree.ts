import { BadInput, TooLarge } from '../../base/errors.js'
import type { ArchiveLimits } from './limits.js'
import { normalisePath, parentOf, show } from './names.js'

export interface Member {
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink'
  /** As written in the archive; bytes as latin1. */
  readonly name: string
  /** Link target as written in the archive; used only for links. */
  readonly target: string
  /** Length of a file, holes included; 0 for other kinds. */
  readonly apparentSize: number
}

/**
 * `implied`: a directory without an entry of its own that other members need as a parent. `whiteout`: a marker that
 * stagerd adds to hide an entry of the lower layers; never from an archive.
 */
export type ExpectedKind = 'file' | 'directory' | 'symlink' | 'implied' | 'whiteout'

/**
 * The tree that unpacking an archive must produce. Each member is checked against the members before it.
 *
 * INVARIANTS
 * - The parent of every path in `paths` is in `paths` as a directory or implied directory. So no path leads through a
 *   symbolic link, and checking the parent covers all ancestors.
 * - A directory never becomes another kind of entry, and no other entry becomes a directory.
 * - After the last member, `paths` is exactly the tree that unpacking must produce.
 */
export class ExpectedTree {
  readonly paths = new Map<string, ExpectedKind>()
  /** Symbolic links that tar makes only at the end of the archive. */
  readonly #lateLinks = new Set<string>()
  entries = 0
  #apparentBytes = 0
  #pathBytes = 0
  #hasRoot = false
  #hasOtherForm = false

  constructor(private readonly limits: ArchiveLimits) {}

  /**
   * Whether all members have canonical names (names.ts), and none is the root. An archive that has nothing but its root
   * may keep it, because an archive must have an entry.
   */
  get isCanonical(): boolean {
    return !this.#hasOtherForm && (!this.#hasRoot || this.paths.size === 0)
  }

  /** Throws `BadInput` (`archive-refused`) or `TooLarge` (`archive-too-large`), naming the entry. */
  add(member: Member): void {
    const path = normalisePath(member.name, 'Entry')
    this.#count(member, path)
    if (path === '') {
      if (member.kind !== 'directory') throw refused(member, 'the root of a package must be a directory')
      this.#hasRoot = true
      return
    }
    this.#compare(member.name, path, member.kind === 'directory')
    this.#requireDirectory(parentOf(path), member)
    const before = this.paths.get(path)
    const wasDirectory = before === 'directory' || before === 'implied'
    if (before !== undefined && wasDirectory !== (member.kind === 'directory'))
      throw refused(member, 'an earlier entry of the same name has another kind')
    if (this.#lateLinks.has(path))
      throw refused(member, 'an earlier entry of the same name is a symbolic link; pack the name once')
    if (member.kind === 'symlink') this.#checkSymlink(member, path)
    if (member.kind === 'hardlink') this.#checkHardLink(member, path)
    this.#keep(path, member.kind === 'hardlink' ? 'file' : member.kind, member)
  }

  /**
   * Adds a removal, which is recorded separately from the archive, after the last member. An entry of the archive at
   * `path` hides the layers below without a whiteout. Throws `BadInput` (`archive-refused`) when a parent is not a
   * directory.
   */
  addWhiteout(path: string): void {
    if (this.paths.has(path)) return
    this.#requireDirectory(parentOf(path), { name: path })
    this.#keep(path, 'whiteout', { name: path })
  }

  #compare(raw: string, path: string, isDirectory: boolean): void {
    if (raw !== path && !(isDirectory && raw === `${path}/`)) this.#hasOtherForm = true
  }

  #count(member: Member, path: string): void {
    const { limits } = this
    this.entries += 1
    this.#apparentBytes += member.apparentSize
    if (this.entries > limits.entries) throw tooLarge(member, `the archive has more than ${limits.entries} entries`)
    if (this.#apparentBytes > limits.apparentBytes)
      throw tooLarge(member, `the files of the archive have more than ${limits.apparentBytes} bytes in total`)
    if (path.split('/').length > limits.depth)
      throw tooLarge(member, `the path has more than ${limits.depth} components`)
  }

  #keep(path: string, kind: ExpectedKind, member: Pick<Member, 'name'>): void {
    const { limits, paths } = this
    if (!paths.has(path)) this.#pathBytes += path.length
    paths.set(path, kind)
    if (paths.size > limits.entries)
      throw tooLarge(member, `the archive unpacks to more than ${limits.entries} files and directories`)
    if (this.#pathBytes > limits.pathBytes)
      throw tooLarge(member, `the paths of the archive have more than ${limits.pathBytes} bytes in total`)
  }

  #requireDirectory(path: string, member: Pick<Member, 'name'>): void {
    if (path === '') return
    const kind = this.paths.get(path)
    if (kind === 'directory' || kind === 'implied') return
    if (kind === 'symlink')
      throw refused(member, `its path leads through the symbolic link ${show(path)} of the same archive`)
    if (kind !== undefined) throw refused(member, `its path leads through ${show(path)}, which is not a directory`)
    this.#requireDirectory(parentOf(path), member)
    this.#keep(path, 'implied', member)
  }

  #checkSymlink(member: Member, path: string): void {
    if (member.target === '') throw refused(member, 'the target of a symbolic link must not be empty')
    if (member.target.includes('\0')) throw refused(member, 'its target contains a NUL byte')
    if (member.target.length > 4095)
      throw refused(member, 'the target of a symbolic link must not be longer than 4095 bytes')
    if (leadsAway(member.target)) this.#lateLinks.add(path)
  }

  /** The target must be an earlier file of this archive: so it is neither outside nor behind a symbolic link. */
  #checkHardLink(member: Member, path: string): void {
    const target = normalisePath(member.target, `The target of hard link ${show(member.name)},`)
    this.#compare(member.target, target, false)
    if (target === path) throw refused(member, 'a hard link must not point to itself')
    if (this.paths.get(target) !== 'file')
      throw refused(
        member,
        `it is a hard link to ${show(member.target)}, which is not an earlier regular file of the same archive`,
      )
  }
}

/**
 * For such a target GNU tar makes an empty file first, and the link when everything is unpacked. It knows the empty file by
 * its inode. What replaces that file can have the same inode, and would be replaced by the link.
 */
function leadsAway(target: string): boolean {
  return target.startsWith('/') || target.split('/').includes('..')
}

function tooLarge(member: Pick<Member, 'name'>, why: string): TooLarge {
  return new TooLarge('archive-too-large', `The archive is refused at entry ${show(member.name)}: ${why}.`)
}

function refused(member: Pick<Member, 'name'>, why: string): BadInput {
  return new BadInput('archive-refused', `Entry ${show(member.name)} is refused: ${why}.`)
}
