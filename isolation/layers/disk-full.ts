import { errnoOf, Unavailable } from '../../base/errors.js'

/** ENOSPC and EDQUOT as `Unavailable` (`disk-full`); any other error as it is. */
export function explained(error: unknown): unknown {
  if (errnoOf(error) !== 'ENOSPC' && errnoOf(error) !== 'EDQUOT') return error
  return new Unavailable('disk-full', 'There is no space left to unpack the package: free some and try again.', {
    cause: error,
  })
}
