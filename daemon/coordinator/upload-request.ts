import { quote } from '../../base/fqn.js'
import type { ExpectedUpload } from './launch-handler.js'
import { singleParameter } from './stager-address.js'
import { StagerRefusal } from './stager-answer.js'

const DIGESTS = { sha256: 64, sha1: 40 } as const

/**
 * Parse what the client announces of its upload. If it sends both digests, both are checked. Throws `StagerRefusal` 499
 * without a length, without a digest, or with an invalid one.
 */
export function expectedUpload(query: URLSearchParams, contentLength: string | undefined): ExpectedUpload {
  // A chunked body has none either. The message is part of the Stager API, word for word.
  if (contentLength === undefined) throw new StagerRefusal(499, 'You must provide a Content-Length when uploading')
  const length = Number(contentLength)
  if (!Number.isSafeInteger(length) || length < 0)
    throw new StagerRefusal(499, `${quote(contentLength)} is not a Content-Length: it is the number of bytes uploaded.`)
  const sha256 = digest(query, 'sha256')
  const sha1 = digest(query, 'sha1')
  if (sha256 === undefined && sha1 === undefined)
    throw new StagerRefusal(499, 'The upload has no checksum: send it to $STAGER_URL/data?sha256=HEX.')
  if (length === 0) throw new StagerRefusal(499, 'The upload is empty: send a gzipped tarball.')
  return { ...(sha256 === undefined ? {} : { sha256 }), ...(sha1 === undefined ? {} : { sha1 }), length }
}

function digest(query: URLSearchParams, algorithm: keyof typeof DIGESTS): string | undefined {
  const value = singleParameter(query, algorithm)?.toLowerCase()
  if (value === undefined) return undefined
  const digits = DIGESTS[algorithm]
  if (value.length !== digits || !/^[0-9a-f]*$/.test(value))
    throw new StagerRefusal(499, `${quote(value)} is not a ${algorithm} checksum: it has ${digits} hexadecimal digits.`)
  return value
}
