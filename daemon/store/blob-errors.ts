import { Fault, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'

export function blobNotFound(sha256: string): NotFound {
  return new NotFound('blob-not-found', `There is no data with the digest ${quote(sha256)}.`)
}

/** @param how the end of a sentence about its content */
export function blobCorrupt(sha256: string, how: string): Fault {
  return new Fault(
    'blob-corrupt',
    `The stored resource ${sha256} is damaged: its content ${how}. Upload it again to repair it.`,
  )
}
