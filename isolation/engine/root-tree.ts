import { constants, type Stats } from 'node:fs'
import { lstat, open, readlink } from 'node:fs/promises'
import { posix } from 'node:path'
import { errnoOf } from '../../base/errors.js'
import { readKernelFile } from '../host/kernel-file.js'

/** As whom a program is executed, in the ids of the host. */
export interface Identity {
  readonly uid: number
  readonly gids: ReadonlySet<number>
  /** CAP_DAC_OVERRIDE, as root has it. */
  readonly overrides: boolean
}

export type Found =
  | { readonly kind: 'there'; readonly path: string; readonly stats: Stats }
  /** `path` is what does not exist: another one than was asked for if a link is on the way. */
  | { readonly kind: 'missing'; readonly path: string }
  /** The directory that may not be entered. */
  | { readonly kind: 'barred'; readonly path: string }
  /** It cannot be told. */
  | { readonly kind: 'unknown' }

/** As the kernel: path_resolution(7). */
const MAX_LINKS = 40

const SEARCH = 1
const CAP_DAC_OVERRIDE = 1n << 1n

/** What differs for each process that looks at it. */
const KERNEL_DIRECTORIES: ReadonlySet<string> = new Set(['dev', 'proc', 'sys'])

/**
 * Reads the root of a container from outside, as a process inside would see it: links stay within the root. Only for a root
 * that nobody changes meanwhile: one that is mounted read-only, or that of a container before its program is started.
 */
export class RootTree {
  /** @param root such as `/proc/PID/root` */
  constructor(
    private readonly root: string,
    private readonly identity: Identity,
  ) {}

  /**
   * @param path absolute, in the container
   * @param last whether a link at the end of the path is followed, or found itself
   */
  async find(path: string, last: 'follow' | 'keep' = 'follow'): Promise<Found> {
    const ahead = path.split('/')
    const there: string[] = []
    let links = 0
    let stats = await lstat(this.#onHost([]))
    for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
      if (name === '' || name === '.') continue
      const parent = `/${there.join('/')}`
      if (!stats.isDirectory()) return { kind: 'missing', path: posix.join(parent, name, ...ahead) }
      if (!this.allows(stats, SEARCH)) return { kind: 'barred', path: parent }
      if (name === '..') {
        there.pop()
        stats = await lstat(this.#onHost(there))
        continue
      }
      if (there.length === 0 && KERNEL_DIRECTORIES.has(name)) return { kind: 'unknown' }
      const found = await this.#lstat([...there, name])
      if (!found) return { kind: 'missing', path: posix.join(parent, name, ...ahead) }
      if (!found.isSymbolicLink() || (last === 'keep' && ahead.length === 0)) {
        there.push(name)
        stats = found
        continue
      }
      if (++links > MAX_LINKS) return { kind: 'unknown' }
      const target = await readlink(this.#onHost([...there, name]))
      ahead.unshift(...target.split('/'))
      if (target.startsWith('/')) {
        there.length = 0
        stats = await lstat(this.#onHost([]))
      }
    }
    return { kind: 'there', path: `/${there.join('/')}`, stats }
  }

  /** @param right 4 to read, 1 to execute or to enter */
  allows({ uid, gid, mode }: Pick<Stats, 'uid' | 'gid' | 'mode'>, right: 4 | 1): boolean {
    const { identity } = this
    // Who may do everything still needs one bit to execute a file.
    if (identity.overrides)
      return right !== 1 || (mode & 0o111) !== 0 || (mode & constants.S_IFMT) === constants.S_IFDIR
    if (uid === identity.uid) return (mode & (right << 6)) !== 0
    return (mode & (identity.gids.has(gid) ? right << 3 : right)) !== 0
  }

  /** Up to `length` bytes of a regular file. @param path as `find` has returned it */
  async read(path: string, offset: number, length: number): Promise<Buffer> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const file = await open(`${this.root}${path}`, flags)
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  }

  async #lstat(names: readonly string[]): Promise<Stats | undefined> {
    try {
      return await lstat(this.#onHost(names))
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENAMETOOLONG') return undefined
      throw error
    }
  }

  #onHost(names: readonly string[]): string {
    return [this.root, ...names].join('/') + (names.length === 0 ? '/' : '')
  }
}

/** The identity of the first process of a container, which its program shares. */
export function identityOf(pid: number): Identity {
  const status = readKernelFile(`/proc/${pid}/status`)
  const fields = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.split(/\s+/) ?? []
  // Of the four ids, the last one decides about files.
  const gids = [fields('Gid')[3], ...fields('Groups')].filter((id) => id !== undefined && id !== '').map(Number)
  const effective = BigInt(`0x${fields('CapEff')[0] ?? '0'}`)
  return { uid: Number(fields('Uid')[3]), gids: new Set(gids), overrides: (effective & CAP_DAC_OVERRIDE) !== 0n }
}
