import { Conflict, NotFound, StagerdError, Unavailable } from '../../base/errors.js'

/**
 * What callers are told who are no administrators, of errors that name nodes with their addresses, UUIDs and certificates. The
 * codes stay. Any other error is returned as it is.
 */
export function withoutPlaces(error: Error): Error {
  if (!(error instanceof StagerdError)) return error
  const { code } = error
  const options = { cause: error }
  switch (code) {
    case 'node-not-found':
      return new NotFound(code, 'There is no such node.', options)
    case 'node-ambiguous':
      return new Conflict(
        code,
        'Several nodes have that name: use the UUID that the first event of the run names.',
        options,
      )
    case 'node-not-connected':
      return new Conflict(
        code,
        'Only another node can answer this, and requests are not passed on to it: an administrator is told why.',
        options,
      )
    case 'misdirected':
      return new Conflict(
        code,
        'The request was passed on to a node that it does not belong to: an administrator is told which.',
        options,
      )
    case 'node-unreachable':
      return new Unavailable(
        code,
        'Only another node can answer this, and it does not answer: try again later.',
        options,
      )
    case 'connection-lost':
      return new Unavailable(
        code,
        'Only another node can answer this, and the connection to it was lost before it did: what was to change may have changed, so look before you try again.',
        options,
      )
    default:
      return error
  }
}
