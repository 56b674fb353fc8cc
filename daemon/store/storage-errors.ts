import { errnoOf, StagerdError, Unavailable } from '../../base/errors.js'

/**
 * `error`, or `Unavailable` (`disk-full`) if it says that the disk or a disk quota is full.
 *
 * @param doing what failed, for the message: "store a resource"
 */
export function withDiskFull(error: unknown, doing: string): unknown {
  if (error instanceof StagerdError) return error
  const errno = errnoOf(error)
  if (errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'SQLITE_FULL')
    return new Unavailable('disk-full', `There is no space left on the disk to ${doing}: free some and try again.`, {
      cause: error,
    })
  return error
}
