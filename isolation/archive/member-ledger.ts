import { BadInput, TooLarge } from '../../base/errors.js'
import type { ArchiveLimits } from './limits.js'
import { normalisePath, parentOf, show } from './names.js'

export interface Member {
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink'
  /** As it stands in the archive, bytes as latin1. */
  readonly name: string
  /** Of links, as it stands in the archive. */
  readonly target: string
  /** Of files: their length, holes included. */
  readonly apparentSize: number
}

/**
 * `implied`: a directory that the archive does not hold, but members of it do need. `whiteout`: a mark of ours that the
 * layers below have something there which is to be hidden; never from an archive.
 */
export type LedgerKind = 'file' | 'directory' | 'symlink' | 'implied' | 'whiteout'

/**
 * What the members of one archive make together: each is looked at beside those before it.
 *
 * INVARIANTS
 * - The parent of every path in `paths` is in `paths` as a directory, real or implied; so nothing is ever reached
 *   through a symbolic link, and one look at the parent says all of the ancestors.
 * - A path that once is a directory stays one, and what is not never becomes one.
 * - After the last member `paths` is exactly the tree that unpacking must make.
 */
export class MemberLedger {
  readonly paths = new Map<string, LedgerKind>()
  entries = 0
  #apparentBytes = 0
  #pathBytes = 0

  constructor(private readonly limits: ArchiveLimits) {}

  /** Throws `BadInput` (`archive-refused`) or `TooLarge` (`archive-too-large`), naming the entry. */
  add(member: Member): void {
    const path = normalisePath(member.name, 'Entry')
    this.#count(member, path)
    if (path === '') {
      if (member.kind !== 'directory') throw refused(member, 'the root of a package is a directory')
      return
    }
    this.#requireDirectory(parentOf(path), member)
    const before = this.paths.get(path)
    const wasDirectory = before === 'directory' || before === 'implied'
    if (before !== undefined && wasDirectory !== (member.kind === 'directory'))
      throw refused(member, 'an earlier entry of this name is of another kind')
    if (member.kind === 'symlink') this.#checkSymlink(member)
    if (member.kind === 'hardlink') this.#checkHardLink(member, path)
    this.#keep(path, member.kind === 'hardlink' ? 'file' : member.kind, member)
  }

  /**
   * A removal recorded beside the archive, after its last member. What the archive itself holds at `path` hides the
   * layers below without a whiteout. Throws `BadInput` (`archive-refused`) where a parent is no directory.
   */
  addWhiteout(path: string): void {
    if (this.paths.has(path)) return
    this.#requireDirectory(parentOf(path), { name: path })
    this.#keep(path, 'whiteout', { name: path })
  }

  #count(member: Member, path: string): void {
    const { limits } = this
    this.entries += 1
    this.#apparentBytes += member.apparentSize
    if (this.entries > limits.entries) throw tooLarge(member, `it holds more than ${limits.entries} entries`)
    if (this.#apparentBytes > limits.apparentBytes)
      throw tooLarge(member, `its files come to more than ${limits.apparentBytes} bytes`)
    if (path.split('/').length > limits.depth)
      throw tooLarge(member, `its path is deeper than ${limits.depth} directories`)
  }

  #keep(path: string, kind: LedgerKind, member: Pick<Member, 'name'>): void {
    const { limits, paths } = this
    if (!paths.has(path)) this.#pathBytes += path.length
    paths.set(path, kind)
    if (paths.size > limits.entries)
      throw tooLarge(member, `it makes more than ${limits.entries} files and directories`)
    if (this.#pathBytes > limits.pathBytes)
      throw tooLarge(member, `its paths come to more than ${limits.pathBytes} bytes`)
  }

  #requireDirectory(path: string, member: Pick<Member, 'name'>): void {
    if (path === '') return
    const kind = this.paths.get(path)
    if (kind === 'directory' || kind === 'implied') return
    if (kind === 'symlink')
      throw refused(member, `its path goes through the symbolic link ${show(path)} of the same archive`)
    if (kind !== undefined) throw refused(member, `its path goes through ${show(path)}, which is no directory`)
    this.#requireDirectory(parentOf(path), member)
    this.#keep(path, 'implied', member)
  }

  #checkSymlink(member: Member): void {
    if (member.target === '') throw refused(member, 'a symbolic link needs a target')
    if (member.target.includes('\0')) throw refused(member, 'its target holds a NUL byte')
    if (member.target.length > 4095) throw refused(member, 'the target of a symbolic link has at most 4095 bytes')
  }

  /** A target that is an earlier file of this archive can be neither outside nor behind a symbolic link. */
  #checkHardLink(member: Member, path: string): void {
    const target = normalisePath(member.target, `The target of hard link ${show(member.name)},`)
    if (target === path) throw refused(member, 'a hard link cannot be to itself')
    if (this.paths.get(target) !== 'file')
      throw refused(
        member,
        `it is a hard link to ${show(member.target)}, which is not an earlier regular file of the same archive`,
      )
  }
}

function tooLarge(member: Pick<Member, 'name'>, why: string): TooLarge {
  return new TooLarge('archive-too-large', `The archive is refused at entry ${show(member.name)}: ${why}.`)
}

function refused(member: Pick<Member, 'name'>, why: string): BadInput {
  return new BadInput('archive-refused', `Entry ${show(member.name)} is refused: ${why}.`)
}
