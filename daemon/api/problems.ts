import {
  BadInput,
  Conflict,
  errnoOf,
  messageOf,
  NotFound,
  Refused,
  StagerdError,
  TooLarge,
  Unavailable,
  Unresolved,
} from '../../base/errors.js'
import type { Problem } from '../documents/problem.js'

export const PROBLEM_TYPE = 'application/problem+json'

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad input',
  403: 'Refused',
  404: 'Not found',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Unresolved',
  500: 'stagerd failed',
  503: 'Unavailable',
}

/** What Fastify itself refuses, in our words. */
const FASTIFY_CODES: Readonly<Record<string, readonly [code: string, detail: string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported-media-type',
    'The body has a content type that this route does not take: application/json for documents, application/octet-stream for data.',
  ],
  FST_ERR_CTP_BODY_TOO_LARGE: ['body-too-large', 'The document is larger than the 4 MiB that are allowed.'],
  FST_ERR_CTP_INVALID_JSON_BODY: [
    'bad-document',
    'The body is not JSON: see that quotes, commas and braces are in their places.',
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['bad-document', 'The body is empty, where a JSON document is expected.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['length-mismatch', 'The body has not the length that Content-Length announced.'],
}

/** An error as RFC 9457 has it; `code` is stable, `detail` is for people. */
export function problemOf(error: unknown): Problem {
  if (error instanceof StagerdError) return problem(statusOf(error), error.code, error.message)
  const status = statusOfFastify(error)
  if (status === undefined) return problem(500, 'internal-error', 'stagerd failed: its log says more.')
  const known = FASTIFY_CODES[errnoOf(error) ?? '']
  if (known) return problem(status, ...known)
  if (error instanceof SyntaxError)
    return problem(status, 'bad-document', `The body is not the JSON that was expected: ${messageOf(error)}.`)
  return problem(status, 'bad-request', messageOf(error))
}

export function problem(status: number, code: string, detail: string): Problem {
  return { type: `urn:stagerd:problem:${code}`, title: TITLES[status] ?? 'Bad request', status, detail, code }
}

function statusOf(error: StagerdError): number {
  if (error instanceof BadInput) return 400
  if (error instanceof NotFound) return 404
  if (error instanceof Conflict) return 409
  if (error instanceof Refused) return 403
  if (error instanceof TooLarge) return 413
  if (error instanceof Unresolved) return 422
  if (error instanceof Unavailable) return 503
  return 500
}

/** Only what blames the client; anything else is a fault of ours. */
function statusOfFastify(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number') return undefined
  return error.statusCode >= 400 && error.statusCode < 500 ? error.statusCode : undefined
}
