import { type ErrorKind, StagerdError } from '../../base/errors.js'
import { parseJson } from '../../base/parse-json.js'
import { withRemedy } from './remedies.js'

const KINDS: Readonly<Record<number, ErrorKind>> = {
  401: 'unauthenticated',
  403: 'refused',
  404: 'not-found',
  409: 'conflict',
  413: 'too-large',
  422: 'unresolved',
  429: 'too-many-requests',
  503: 'unavailable',
}

/** An error response of the daemon, with the code and detail of its problem document. */
export class ApiProblem extends StagerdError {
  override readonly kind: ErrorKind

  constructor(
    readonly status: number,
    code: string,
    detail: string,
  ) {
    super(code, detail)
    this.kind = KINDS[status] ?? (status >= 400 && status < 500 ? 'bad-input' : 'fault')
  }
}

/**
 * Parses the body of an error response. Never throws: a body that is not a problem document gets the code
 * `unexplained`.
 */
export function parseProblem(status: number, body: string): ApiProblem {
  const document = parseJson(body)
  const detail = stringField(document, 'detail') ?? stringField(document, 'title')
  const code = stringField(document, 'code') ?? 'unexplained'
  return new ApiProblem(
    status,
    code,
    detail === undefined
      ? `stagerd answered with status ${status} and gave no reason: see its log.`
      : withRemedy(code, detail),
  )
}

function stringField(document: unknown, field: string): string | undefined {
  if (typeof document !== 'object' || document === null) return undefined
  const value: unknown = Reflect.get(document, field)
  return typeof value === 'string' && value !== '' ? value : undefined
}
