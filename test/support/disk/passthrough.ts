import * as fs from 'node:fs'
import path from 'node:path'
import { OP, type FuseRequest } from './fuse-channel.js'
import {
  attributesOut,
  DIRECT_IO,
  directoryEntry,
  entryOut,
  openOut,
  statfsOut,
  wantedAttributes,
  writeOut,
} from './fuse-structs.js'
import type { Operation, Watch } from './operations.js'
import { SpecialFiles, type SpecialFile } from './special-files.js'

const BIG = { bigint: true } as const
const ROOT = 1n
/** FUSE_WRITE_CACHE: the kernel writes back a page that a program has changed in memory. */
const WRITE_CACHE = 1

interface Node {
  parent: bigint
  /** Of a removed file, the last one. */
  name: string
  isRemoved: boolean
  readonly open: Set<number>
}

/** The files below `directory`, as a file system whose every change is watched. */
export class Passthrough {
  readonly #nodes = new Map<bigint, Node>()
  readonly #children = new Map<string, bigint>()
  readonly #lists = new Map<number, readonly fs.Dirent[]>()
  readonly #special: SpecialFiles
  #last = 1n
  #lastList = 0

  constructor(
    private readonly directory: string,
    private readonly watch: Watch,
    special: Readonly<Record<string, SpecialFile>>,
  ) {
    this.#special = new SpecialFiles(special)
    this.#nodes.set(ROOT, { parent: ROOT, name: '', isRemoved: false, open: new Set() })
  }

  handle({ op, node, body }: FuseRequest): Buffer | undefined {
    const handle = () => Number(body.readBigUInt64LE(0))
    switch (op) {
      case OP.LOOKUP:
        return this.#entry(node, nameIn(body, 0))
      case OP.FORGET:
      case OP.BATCH_FORGET:
      case OP.INTERRUPT:
        return undefined
      case OP.GETATTR:
        return this.#attributes(node)
      case OP.SETATTR:
        return this.#setAttributes(node, body)
      case OP.MKDIR:
        return this.#mkdir(node, nameIn(body, 8), body.readUInt32LE(0))
      case OP.UNLINK:
      case OP.RMDIR:
        return this.#remove(node, nameIn(body, 0), op === OP.RMDIR)
      case OP.RENAME:
        return this.#rename(node, body, 8)
      case OP.RENAME2:
        return this.#rename(node, body, 16)
      case OP.CREATE:
        return this.#create(node, nameIn(body, 16), body.readUInt32LE(0), body.readUInt32LE(4))
      case OP.OPEN:
        return this.#open(node, body.readUInt32LE(0))
      case OP.READ:
        return this.#read(node, handle(), Number(body.readBigUInt64LE(8)), body.readUInt32LE(16))
      case OP.WRITE:
        return this.#write(node, body)
      case OP.FSYNC:
        return this.#change({ name: 'fsync', path: this.#path(node) }, () => {
          if (!this.#specialAt(node)) fs.fdatasyncSync(handle())
        })
      case OP.RELEASE:
        this.#nodes.get(node)?.open.delete(handle())
        if (this.#specialAt(node)) this.#special.close(handle())
        else fs.closeSync(handle())
        return NOTHING
      case OP.OPENDIR:
        this.#lists.set(++this.#lastList, fs.readdirSync(this.#real(node), { withFileTypes: true }))
        return openOut(this.#lastList)
      case OP.READDIR:
        return this.#list(handle(), Number(body.readBigUInt64LE(8)), body.readUInt32LE(16))
      case OP.RELEASEDIR:
        this.#lists.delete(handle())
        return NOTHING
      case OP.FSYNCDIR:
        return this.#change({ name: 'fsync', path: this.#path(node) }, () => undefined)
      case OP.STATFS:
        return statfsOut(fs.statfsSync(this.directory))
      case OP.DESTROY:
        return NOTHING
      default:
        throw Object.assign(new Error('not known'), { code: 'ENOSYS' })
    }
  }

  #change<T>(operation: Operation, work: () => T): T extends Buffer ? Buffer : Buffer {
    this.watch.before(operation)
    const result = work()
    this.watch.after(operation)
    return (Buffer.isBuffer(result) ? result : NOTHING) as never
  }

  #path(node: bigint, name = ''): string {
    const { parent, name: own } = this.#nodes.get(node)!
    const above = node === ROOT ? '' : this.#path(parent)
    return path.join(above, own, name)
  }

  #real(node: bigint, name = ''): string {
    return path.join(this.directory, this.#path(node, name))
  }

  #specialAt(node: bigint): SpecialFile | undefined {
    return this.#special.at(this.#path(node))
  }

  #node(parent: bigint, name: string): bigint {
    const key = `${parent}/${name}`
    let node = this.#children.get(key)
    if (node === undefined) {
      node = ++this.#last
      this.#children.set(key, node)
      this.#nodes.set(node, { parent, name, isRemoved: false, open: new Set() })
    }
    return node
  }

  #stats(node: bigint): fs.BigIntStats {
    if (this.#specialAt(node)) return fs.statSync('/dev/null', BIG)
    // A removed file has no path, but who asks has it open.
    const [open] = this.#nodes.get(node)!.open
    return open === undefined ? fs.lstatSync(this.#real(node), BIG) : fs.fstatSync(open, BIG)
  }

  #entry(parent: bigint, name: string): Buffer {
    if (!this.#special.at(this.#path(parent, name))) fs.lstatSync(this.#real(parent, name))
    const node = this.#node(parent, name)
    return entryOut(node, asFile(this.#stats(node)))
  }

  #attributes(node: bigint): Buffer {
    return attributesOut(node, asFile(this.#stats(node)))
  }

  #setAttributes(node: bigint, body: Buffer): Buffer {
    if (this.#specialAt(node)) return this.#attributes(node)
    const { size, mode, owner, atime, mtime } = wantedAttributes(body)
    const [open] = this.#nodes.get(node)!.open
    // As if nobody had it open, where it has a path.
    const file = open !== undefined && this.#nodes.get(node)!.isRemoved ? `/proc/self/fd/${open}` : this.#real(node)
    const operation: Operation = { name: size === undefined ? 'attributes' : 'truncate', path: this.#path(node) }
    return this.#change(operation, () => {
      if (size !== undefined) fs.truncateSync(file, size)
      if (mode !== undefined) fs.chmodSync(file, mode)
      const stats = fs.statSync(file)
      if (owner) fs.chownSync(file, owner.uid ?? stats.uid, owner.gid ?? stats.gid)
      const now = Date.now() / 1000
      const at = (wanted: number | 'now' | undefined, is: number) => (wanted === 'now' ? now : (wanted ?? is))
      if (atime !== undefined || mtime !== undefined)
        fs.utimesSync(file, at(atime, stats.atimeMs / 1000), at(mtime, stats.mtimeMs / 1000))
      return this.#attributes(node)
    })
  }

  #mkdir(parent: bigint, name: string, mode: number): Buffer {
    return this.#change({ name: 'mkdir', path: this.#path(parent, name) }, () => {
      fs.mkdirSync(this.#real(parent, name), { mode })
      return this.#entry(parent, name)
    })
  }

  #create(parent: bigint, name: string, flags: number, mode: number): Buffer {
    return this.#change({ name: 'create', path: this.#path(parent, name) }, () => {
      const file = fs.openSync(this.#real(parent, name), readable(flags) | fs.constants.O_CREAT, mode & 0o7777)
      const entry = this.#entry(parent, name)
      this.#nodes.get(this.#node(parent, name))!.open.add(file)
      return Buffer.concat([entry, openOut(file)])
    })
  }

  #open(node: bigint, flags: number): Buffer {
    const special = this.#specialAt(node)
    if (special) return openOut(this.#special.open(special), DIRECT_IO)
    const file = fs.openSync(this.#real(node), readable(flags))
    this.#nodes.get(node)!.open.add(file)
    return openOut(file)
  }

  #read(node: bigint, file: number, offset: number, size: number): Buffer {
    if (this.#specialAt(node)) return this.#special.read(file, offset, size)
    const data = Buffer.alloc(size)
    return data.subarray(0, fs.readSync(file, data, 0, size, offset))
  }

  #write(node: bigint, body: Buffer): Buffer {
    const [file, offset] = [Number(body.readBigUInt64LE(0)), Number(body.readBigUInt64LE(8))]
    const data = body.subarray(40, 40 + body.readUInt32LE(16))
    const write = () => {
      for (let at = 0; at < data.length;) at += fs.writeSync(file, data, at, data.length - at, offset + at)
      return writeOut(data.length)
    }
    const special = this.#specialAt(node)
    if (special) {
      special.write(data)
      return writeOut(data.length)
    }
    // Nobody waits for it, and when it happens is up to the kernel.
    if ((body.readUInt32LE(20) & WRITE_CACHE) !== 0) return write()
    return this.#change({ name: 'write', path: this.#path(node), data, offset }, write)
  }

  #remove(parent: bigint, name: string, isDirectory: boolean): Buffer {
    return this.#change({ name: isDirectory ? 'rmdir' : 'unlink', path: this.#path(parent, name) }, () => {
      if (isDirectory) fs.rmdirSync(this.#real(parent, name))
      else fs.unlinkSync(this.#real(parent, name))
      this.#forget(parent, name)
    })
  }

  #forget(parent: bigint, name: string): void {
    const key = `${parent}/${name}`
    const node = this.#children.get(key)
    if (node === undefined) return
    this.#nodes.get(node)!.isRemoved = true
    this.#children.delete(key)
  }

  #rename(parent: bigint, body: Buffer, at: number): Buffer {
    const to = body.readBigUInt64LE(0)
    const name = nameIn(body, at)
    const newName = nameIn(body, at + Buffer.byteLength(name) + 1)
    const operation: Operation = { name: 'rename', path: this.#path(parent, name), target: this.#path(to, newName) }
    return this.#change(operation, () => {
      fs.renameSync(this.#real(parent, name), this.#real(to, newName))
      this.#forget(to, newName)
      const node = this.#children.get(`${parent}/${name}`)
      if (node === undefined) return
      this.#children.delete(`${parent}/${name}`)
      this.#children.set(`${to}/${newName}`, node)
      Object.assign(this.#nodes.get(node)!, { parent: to, name: newName })
    })
  }

  #list(handle: number, from: number, size: number): Buffer {
    const entries: Buffer[] = []
    let length = 0
    const all = this.#lists.get(handle) ?? []
    for (let index = from; index < all.length; index += 1) {
      const entry = directoryEntry(all[index]!.name, all[index]!.isDirectory(), index + 1)
      if ((length += entry.length) > size) break
      entries.push(entry)
    }
    return Buffer.concat(entries)
  }
}

const NOTHING = Buffer.alloc(0)

function nameIn(body: Buffer, at: number): string {
  return body.toString('utf8', at, body.indexOf(0, at))
}

/** The kernel reads what it writes, and gives the offset of each write. */
function readable(flags: number): number {
  const {
    O_ACCMODE = 3,
    O_WRONLY,
    O_RDWR,
    O_APPEND,
    O_NOFOLLOW,
  } = fs.constants as typeof fs.constants & {
    readonly O_ACCMODE?: number
  }
  const access = (flags & O_ACCMODE) === O_WRONLY ? O_RDWR : flags & O_ACCMODE
  return (flags & ~(O_ACCMODE | O_APPEND | O_NOFOLLOW)) | access
}

function asFile(stats: fs.BigIntStats): fs.BigIntStats {
  if (!stats.isCharacterDevice()) return stats
  return Object.assign(stats, { mode: BigInt(fs.constants.S_IFREG | 0o600), rdev: 0n, size: 0n })
}
