import { getSystemErrorMap } from 'node:util'
import { messageOf } from './errors.js'

/** An error of the operating system, as Node.js throws it. */
export interface SystemError extends Error {
  /** Negative. */
  readonly errno: number
  readonly code: string
  readonly syscall: string
  readonly path?: string
  readonly dest?: string
}

export function isSystemError(error: unknown): error is SystemError {
  return (
    error instanceof Error &&
    typeof Reflect.get(error, 'errno') === 'number' &&
    typeof Reflect.get(error, 'code') === 'string' &&
    typeof Reflect.get(error, 'syscall') === 'string'
  )
}

/** Where the words of the system leave open what is meant. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EPERM: 'the operation is not permitted',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
  ENOENT: 'it does not exist',
  EEXIST: 'it exists already',
  ELOOP: 'its symbolic links form a loop',
  ENAMETOOLONG: 'its name or path is too long',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EPIPE: 'the reader has closed the pipe',
  EMFILE: 'the process has too many open files',
  ENFILE: 'the host has too many open files',
  EIO: 'the device reports an input/output error',
  ENXIO: 'it is a socket or a device that cannot be opened',
  ESTALE: 'it vanished from its network file system',
  ENOTFOUND: 'the name of the host is unknown',
  EAI_AGAIN: 'the name of the host cannot be looked up at the moment',
  ECONNREFUSED: 'the host refuses the connection',
  ECONNRESET: 'the host broke the connection',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network of the host cannot be reached',
  ETIMEDOUT: 'the host does not answer in time',
}

/**
 * What happened, as the part of a sentence, without the name of the errno and without the call: `permission is denied`.
 * Any other error gives its message.
 */
export function describeSystemError(error: unknown): string {
  // Node.js tries all addresses of a host, and has no message for all of them together.
  if (error instanceof AggregateError) return describeSystemError(error.errors[0])
  if (!isSystemError(error)) return messageOf(error)
  return WORDS[error.code] ?? getSystemErrorMap().get(error.errno)?.[1] ?? 'the system refuses it'
}
