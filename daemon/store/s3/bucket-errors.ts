import { errnoOf, messageOf, StagerdError, Unavailable } from '../../../base/errors.js'

/** The HTTP status of an answer of the server, if the error is one. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  return (error.$metadata as { httpStatusCode?: number } | undefined)?.httpStatusCode
}

/**
 * `error`, or `Unavailable` if it is one of the object store: `object-store-refused` if the server answers that the request
 * is not allowed, or that there is no such bucket, which only a person can mend; `object-store-unavailable` otherwise.
 *
 * @param doing what failed, for the message: "store the data"
 */
export function bucketError(error: unknown, where: string, doing: string): unknown {
  if (error instanceof StagerdError) return error
  const status = statusOf(error)
  const told = error instanceof Error && status !== undefined ? `${error.name}, status ${status}` : undefined
  const cause = { cause: error }
  if (status !== undefined && status >= 400 && status < 500 && !PASSING.includes(status))
    return new Unavailable(
      'object-store-refused',
      `The object store refuses to ${doing} in ${where} (${told}): see that the bucket exists, and what its credentials permit.`,
      cause,
    )
  return new Unavailable(
    'object-store-unavailable',
    `The object store does not ${doing} in ${where} (${told ?? errnoOf(error) ?? messageOf(error)}): it was asked several times; try again when it answers.`,
    cause,
  )
}

/** Request Timeout, Conflict, Too Many Requests: the same request can succeed later. */
const PASSING: readonly number[] = [408, 409, 429]
