import { errnoOf, StagerdError, Unavailable } from '../../base/errors.js'

/**
 * `error`, or `Unavailable` (`disk-full`) where the disk or a quota of it has no room left.
 *
 * @param doing what could not be done, for the message: "store a resource"
 */
export function withDiskFull(error: unknown, doing: string): unknown {
  if (error instanceof StagerdError) return error
  const errno = errnoOf(error)
  if (errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'SQLITE_FULL')
    return new Unavailable('disk-full', `There is no room left on the disk to ${doing}: free some and try again.`, {
      cause: error,
    })
  return error
}
