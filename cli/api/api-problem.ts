import { StagerdError } from '../../base/errors.js'

/** The daemon's own refusal, as its problem document words it. */
export class ApiProblem extends StagerdError {
  constructor(
    readonly status: number,
    code: string,
    detail: string,
  ) {
    super(code, detail)
  }
}

/** What the daemon meant by an answer that is not a success. Never throws, whatever the body is. */
export function problemOf(status: number, body: string): ApiProblem {
  const document = parse(body)
  const detail = stringField(document, 'detail') ?? stringField(document, 'title')
  return new ApiProblem(
    status,
    stringField(document, 'code') ?? 'unexplained',
    detail ?? `stagerd answered with status ${status} and did not say why: see its log.`,
  )
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function stringField(document: unknown, field: string): string | undefined {
  if (typeof document !== 'object' || document === null) return undefined
  const value: unknown = Reflect.get(document, field)
  return typeof value === 'string' && value !== '' ? value : undefined
}
