import { BadInput, errnoOf, messageOf, StagerdError } from '../base/errors.js'

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'access to it is denied',
  EPERM: 'its filesystem does not permit it',
  EROFS: 'its filesystem is read-only',
  ENOTDIR: 'a part of the path is not a directory',
  // mkdir finds a file where a directory should be.
  EEXIST: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  ELOOP: 'its symbolic links lead in a circle',
  ENAMETOOLONG: 'it is too long',
  ENOENT: 'a part of the path does not exist',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EIO: 'its disk reports an error',
}

/**
 * The error of a path from the settings that cannot be used: `BadInput`, with the reason in words. An error of stagerd
 * stays as it is.
 *
 * @param what "The state directory"
 * @param remedy "use another one with --state-dir"
 */
export function unusablePath(
  error: unknown,
  {
    code,
    what,
    path,
    remedy,
  }: { readonly code: string; readonly what: string; readonly path: string; readonly remedy: string },
): Error {
  if (error instanceof StagerdError) return error
  const reason = REASONS[errnoOf(error) ?? ''] ?? messageOf(error)
  return new BadInput(code, `${what} ${path} cannot be used, because ${reason}: ${remedy}.`, { cause: error })
}
