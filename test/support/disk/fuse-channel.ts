import { spawn } from 'node:child_process'
import { openSync, readSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { errnoOf } from '../../../base/errors.js'

/** The operations of <linux/fuse.h> that are answered here. All others get ENOSYS, and the kernel does without them. */
export const OP = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  BATCH_FORGET: 42,
  RENAME2: 45,
} as const

export interface FuseRequest {
  readonly op: number
  readonly node: bigint
  /** What follows the header. Valid until the handler returns. */
  readonly body: Buffer
}

/** The body of the answer. An error of the system that it throws is the answer; undefined: the kernel expects none. */
export type FuseHandler = (request: FuseRequest) => Buffer | undefined

const IN_HEADER = 40
const OUT_HEADER = 16
const MAX_WRITE = 1024 * 1024
/** FUSE_MAX_PAGES: without it, a write has at most 128 KiB. */
const MAX_PAGES_FLAG = 1 << 22

/**
 * Mounts a file system on `directory`, and answers the requests of the kernel until it is unmounted, one after the other:
 * in the order in which they are answered, they have happened. Needs root.
 */
export function serveFuse(directory: string, handle: FuseHandler): void {
  const device = openSync('/dev/fuse', 'r+')
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0'
  spawn('mount', ['-i', '-t', 'fuse', '-o', options, 'stagerd-test', directory], {
    stdio: ['ignore', 'inherit', 'inherit', device],
  })
  const input = Buffer.alloc(MAX_WRITE + 4096)
  for (;;) {
    const length = readRequest(device, input)
    if (length === undefined) return
    const op = input.readUInt32LE(4)
    const unique = input.readBigUInt64LE(8)
    const request = { op, node: input.readBigUInt64LE(16), body: input.subarray(IN_HEADER, length) }
    const answer = op === OP.INIT ? initAnswer(request.body) : answerTo(handle, request)
    if (answer !== undefined) reply(device, unique, answer)
  }
}

/** Undefined when it is unmounted. */
function readRequest(device: number, into: Buffer): number | undefined {
  for (;;)
    try {
      return readSync(device, into)
    } catch (error) {
      switch (errnoOf(error)) {
        case 'ENODEV':
          return undefined
        // The mount is being made.
        case 'EPERM':
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
          break
        // The request was interrupted before it was read.
        case 'ENOENT':
        case 'EINTR':
          break
        default:
          throw error
      }
    }
}

function answerTo(handle: FuseHandler, request: FuseRequest): Buffer | number | undefined {
  try {
    return handle(request)
  } catch (error) {
    const errno = constants.errno[errnoOf(error) as keyof typeof constants.errno] as number | undefined
    if (errno === undefined) throw error
    return errno
  }
}

/** @param answer the body, or the number of an error */
function reply(device: number, unique: bigint, answer: Buffer | number): void {
  const body = typeof answer === 'number' ? Buffer.alloc(0) : answer
  const output = Buffer.alloc(OUT_HEADER + body.length)
  output.writeUInt32LE(output.length, 0)
  output.writeInt32LE(typeof answer === 'number' ? -answer : 0, 4)
  output.writeBigUInt64LE(unique, 8)
  body.copy(output, OUT_HEADER)
  try {
    writeSync(device, output)
  } catch (error) {
    // Whoever has asked is gone.
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/** struct fuse_init_out of version 7.31. */
function initAnswer(body: Buffer): Buffer {
  const out = Buffer.alloc(64)
  out.writeUInt32LE(7, 0)
  out.writeUInt32LE(31, 4)
  out.writeUInt32LE(body.readUInt32LE(8), 8)
  out.writeUInt32LE(MAX_PAGES_FLAG, 12)
  out.writeUInt16LE(12, 16)
  out.writeUInt16LE(9, 18)
  out.writeUInt32LE(MAX_WRITE, 20)
  out.writeUInt32LE(1, 24)
  out.writeUInt16LE(MAX_WRITE / 4096, 28)
  return out
}
