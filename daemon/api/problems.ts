import { errnoOf, type ErrorKind, messageOf, StagerdError } from '../../base/errors.js'
import type { Problem } from '../documents/problem.js'

export const PROBLEM_TYPE = 'application/problem+json'

const STATUSES: Readonly<Record<ErrorKind, number>> = {
  'bad-input': 400,
  'not-runnable': 400,
  unauthenticated: 401,
  refused: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  unresolved: 422,
  'too-many-requests': 429,
  fault: 500,
  unavailable: 503,
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad input',
  401: 'Not authenticated',
  403: 'Refused',
  404: 'Not found',
  408: 'Too slow',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Unresolved',
  429: 'Too many requests',
  431: 'Headers too large',
  500: 'stagerd failed',
  503: 'Unavailable',
}

const BAD_JSON = ['bad-document', 'The body is not valid JSON: check quotes, commas and braces.'] as const

/** Refusals of Fastify itself, with codes and messages of our own. */
const FASTIFY_CODES: Readonly<Record<string, readonly [code: string, detail: string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported-media-type',
    'This route does not accept the content type of the body: use application/json for documents, application/octet-stream for data.',
  ],
  FST_ERR_CTP_BODY_TOO_LARGE: [
    'body-too-large',
    'The document is larger than its limit, which is 4 MiB for most documents.',
  ],
  FST_ERR_CTP_INVALID_JSON_BODY: BAD_JSON,
  FST_ERR_CTP_EMPTY_JSON_BODY: ['bad-document', 'The body is empty, but a JSON document is required.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['length-mismatch', 'The length of the body differs from Content-Length.'],
}

/** An error as a problem document (RFC 9457). `code` is stable and for programs, `detail` is for people. */
export function problemOf(error: unknown): Problem {
  if (error instanceof StagerdError) return problem(STATUSES[error.kind], error.code, error.message)
  const status = statusOfFastify(error)
  if (status === undefined) return problem(500, 'internal-error', 'stagerd failed: see its log.')
  const known = FASTIFY_CODES[errnoOf(error) ?? '']
  if (known) return problem(status, ...known)
  // The message of the parser has a piece of the body, in which a secret may be.
  if (error instanceof SyntaxError) return problem(status, ...BAD_JSON)
  return problem(status, 'bad-request', messageOf(error))
}

export function problem(status: number, code: string, detail: string): Problem {
  return { type: `urn:stagerd:problem:${code}`, title: TITLES[status] ?? 'Bad request', status, detail, code }
}

/** Only errors of the client; every other error is a fault of stagerd. */
function statusOfFastify(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number') return undefined
  return error.statusCode >= 400 && error.statusCode < 500 ? error.statusCode : undefined
}
