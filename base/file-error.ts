import { BadInput, NotFound, type StagerdError, Unavailable } from './errors.js'
import { quote } from './fqn.js'
import { describeSystemError, isSystemError, type SystemError } from './system-error.js'

type Refusal = new (code: string, message: string, options?: ErrorOptions) => StagerdError

/** The stable code, the class, and what would be right, for the errors with a remedy of their own. */
const REMEDIES: Readonly<Record<string, readonly [code: string, refusal: Refusal, remedy: string]>> = {
  ENOENT: ['no-such-file', NotFound, 'check the path'],
  ENOTDIR: ['not-a-directory', BadInput, 'check the path'],
  EISDIR: ['not-a-file', BadInput, 'give the path of a file'],
  EACCES: ['file-forbidden', BadInput, 'change its permissions, or use a path of your own'],
  EPERM: ['file-forbidden', BadInput, 'change its permissions, or use a path of your own'],
  EROFS: ['file-forbidden', BadInput, 'use a path on a file system that can be written'],
  ELOOP: ['link-loop', BadInput, 'correct the links, or give the path that they should lead to'],
  ENAMETOOLONG: ['name-too-long', BadInput, 'a name has at most 255 bytes, and a path 4095'],
  ENOSPC: ['disk-full', Unavailable, 'free space there, or use a path on another disk'],
  EDQUOT: ['disk-full', Unavailable, 'free space there, or use a path on another disk'],
  EMFILE: ['too-many-files', Unavailable, 'raise the limit of open files (ulimit -n)'],
  ENFILE: ['too-many-files', Unavailable, 'try again when fewer are open'],
}

export interface FileErrorContext {
  /** The file as the user knows it. Errors of calls on a descriptor name none. */
  readonly file?: string
  /** What would be right, where the caller knows more than the error. */
  readonly remedy?: string
}

/**
 * An error of the operating system about a file, as one sentence: what is wrong with which file, and what would be right.
 * Any other error is returned unchanged.
 */
export function fileError(error: unknown, { file, remedy }: FileErrorContext = {}): unknown {
  if (!isSystemError(error)) return error
  if (error.syscall === 'uv_cwd')
    return new NotFound('no-current-directory', 'The current directory does not exist: change to another one.', {
      cause: error,
    })
  const [code, Refusal, general] = REMEDIES[error.code] ?? ['file-unusable', BadInput, 'check the path']
  const named = file ?? error.dest ?? error.path
  const subject = named === undefined ? 'A file' : quote(named)
  const act = ACTS[error.syscall] ?? 'used'
  return new Refusal(code, `${subject} cannot be ${act}: ${describeSystemError(error)}; ${remedy ?? general}.`, {
    cause: error,
  })
}

/** By system call. Of a call that is not here, such as `open`, nothing is known. */
const ACTS: Partial<Readonly<Record<SystemError['syscall'], string>>> = {
  mkdir: 'created',
  read: 'read',
  scandir: 'read',
  readlink: 'read',
  write: 'written',
  ftruncate: 'written',
  fsync: 'written',
  rename: 'written',
  unlink: 'removed',
  rm: 'removed',
  rmdir: 'removed',
}
