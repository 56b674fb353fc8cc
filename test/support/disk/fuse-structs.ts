import type { BigIntStats, StatsFs } from 'node:fs'

/** How long the kernel may keep what it was told, in seconds: nobody else changes the files. */
const VALID_S = 3600n

/** struct fuse_attr. */
function writeAttributes(out: Buffer, at: number, node: bigint, stats: BigIntStats): void {
  const times = [stats.atimeNs, stats.mtimeNs, stats.ctimeNs]
  const long = [node, stats.size, stats.blocks, ...times.map((ns) => ns / 1_000_000_000n)]
  long.forEach((value, index) => out.writeBigUInt64LE(value, at + 8 * index))
  const short = [
    ...times.map((ns) => ns % 1_000_000_000n),
    ...[stats.mode, stats.nlink, stats.uid, stats.gid, stats.rdev, 4096n],
  ]
  short.forEach((value, index) => out.writeUInt32LE(Number(value), at + 48 + 4 * index))
}

/** struct fuse_attr_out. */
export function attributesOut(node: bigint, stats: BigIntStats): Buffer {
  const out = Buffer.alloc(104)
  out.writeBigUInt64LE(VALID_S, 0)
  writeAttributes(out, 16, node, stats)
  return out
}

/** struct fuse_entry_out. */
export function entryOut(node: bigint, stats: BigIntStats): Buffer {
  const out = Buffer.alloc(128)
  out.writeBigUInt64LE(node, 0)
  out.writeBigUInt64LE(VALID_S, 16)
  out.writeBigUInt64LE(VALID_S, 24)
  writeAttributes(out, 40, node, stats)
  return out
}

/** FOPEN_DIRECT_IO: the kernel keeps nothing of the content. */
export const DIRECT_IO = 1

/** struct fuse_open_out. */
export function openOut(handle: number, flags = 0): Buffer {
  const out = Buffer.alloc(16)
  out.writeBigUInt64LE(BigInt(handle), 0)
  out.writeUInt32LE(flags, 8)
  return out
}

/** struct fuse_write_out. */
export function writeOut(bytes: number): Buffer {
  const out = Buffer.alloc(8)
  out.writeUInt32LE(bytes, 0)
  return out
}

/** struct fuse_statfs_out. */
export function statfsOut(stats: StatsFs): Buffer {
  const out = Buffer.alloc(80)
  const long = [stats.blocks, stats.bfree, stats.bavail, stats.files, stats.ffree]
  long.forEach((value, index) => out.writeBigUInt64LE(BigInt(value), 8 * index))
  const short = [stats.bsize, 255, stats.bsize]
  short.forEach((value, index) => out.writeUInt32LE(value, 40 + 4 * index))
  return out
}

/** One struct fuse_dirent. @param next the offset of the entry behind it */
export function directoryEntry(name: string, isDirectory: boolean, next: number): Buffer {
  const bytes = Buffer.from(name)
  const out = Buffer.alloc(24 + Math.ceil(bytes.length / 8) * 8)
  // No inode: who wants it asks for it.
  out.writeBigUInt64LE(BigInt(next + 1), 0)
  out.writeBigUInt64LE(BigInt(next), 8)
  out.writeUInt32LE(bytes.length, 16)
  out.writeUInt32LE(isDirectory ? 4 : 8, 20)
  bytes.copy(out, 24)
  return out
}

/** The struct fuse_setattr_in that is asked for; what is undefined stays as it is. */
export interface WantedAttributes {
  readonly size: number | undefined
  readonly mode: number | undefined
  readonly owner: { readonly uid: number | undefined; readonly gid: number | undefined } | undefined
  /** In seconds; 'now' for the time of the host. */
  readonly atime: number | 'now' | undefined
  readonly mtime: number | 'now' | undefined
}

export function wantedAttributes(body: Buffer): WantedAttributes {
  const valid = body.readUInt32LE(0)
  const has = (bit: number) => (valid & (1 << bit)) !== 0
  const time = (set: number, now: number, seconds: number, nanoseconds: number) => {
    if (has(now)) return 'now'
    // Node cuts off to microseconds.
    return has(set) ? Number(body.readBigUInt64LE(seconds)) + (body.readUInt32LE(nanoseconds) + 500) / 1e9 : undefined
  }
  const uid = has(1) ? body.readUInt32LE(76) : undefined
  const gid = has(2) ? body.readUInt32LE(80) : undefined
  return {
    mode: has(0) ? body.readUInt32LE(68) & 0o7777 : undefined,
    owner: has(1) || has(2) ? { uid, gid } : undefined,
    size: has(3) ? Number(body.readBigUInt64LE(16)) : undefined,
    atime: time(4, 7, 32, 56),
    mtime: time(5, 8, 40, 60),
  }
}
