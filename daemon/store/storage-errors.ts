import { errnoOf, StagerdError, Unavailable } from '../../base/errors.js'

const FULL = /^(ENOSPC|EDQUOT|SQLITE_FULL)$/
/** SQLite does not say more of a file that it cannot make, and of a device that fails. */
const FAILING = /^(EIO|EROFS|EUCLEAN|SQLITE_IOERR.*|SQLITE_CANTOPEN.*|SQLITE_READONLY.*)$/

/**
 * `error`, or `Unavailable` if it says that the disk or a disk quota is full (`disk-full`), or that the disk fails
 * (`disk-error`).
 *
 * @param doing what failed, for the message: "store a resource"
 */
export function storageError(error: unknown, doing: string): unknown {
  if (error instanceof StagerdError) return error
  const errno = errnoOf(error) ?? ''
  if (FULL.test(errno))
    return new Unavailable('disk-full', `There is no space left on the disk to ${doing}: free some and try again.`, {
      cause: error,
    })
  if (FAILING.test(errno))
    return new Unavailable(
      'disk-error',
      `The disk failed when stagerd wanted to ${doing} (${errno}): see the log of the kernel, and replace the disk if that repeats itself.`,
      { cause: error },
    )
  return error
}
