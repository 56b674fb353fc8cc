import { messageOf, StagerdError } from '../../base/errors.js'
import { shorten } from '../../base/shorten.js'

/** The status codes of the Stager API, with their reason phrases. */
export const REASONS = {
  445: 'Environment Not Marshalled',
  448: 'Resource Not Supported',
  450: 'UUID Missing',
  451: 'UUID Not Valid',
  452: 'UUID Not Current',
  499: 'Stager Request Failed',
} as const

export type StagerStatus = keyof typeof REASONS

/** A refusal that carries its status code. */
export class StagerRefusal extends StagerdError {
  override readonly kind = 'bad-input'

  constructor(
    readonly status: StagerStatus,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`stager-api-${status}`, message, options)
  }
}

export interface StagerAnswer {
  readonly status: StagerStatus
  /** One line, without details of the host. */
  readonly text: string
  /** Not caused by the stager: the operator must see it in the log. */
  readonly ours: boolean
}

/**
 * The answer to a request that failed with `error`. It never holds a stack or the message of a fault, which may name
 * paths of the host.
 */
export function answerTo(error: unknown): StagerAnswer {
  if (!(error instanceof StagerdError)) return ourFault('')
  if (error instanceof StagerRefusal) return refusal(error.status, error)
  if (error.code === 'launch-over') return refusal(452, error)
  // `GET /meta` would answer 445 with such a value, so the change that adds it gets the same code.
  if (error.code === 'bad-environment-value') return { status: 445, text: unmarshalled(error), ours: false }
  switch (error.kind) {
    case 'unavailable':
      return { status: 499, text: `stagerd cannot do this now (${error.code}): try again later.`, ours: true }
    case 'fault':
      return ourFault(` (${error.code})`)
    case 'bad-input':
    case 'not-runnable':
    case 'not-found':
    case 'conflict':
    case 'unauthenticated':
    case 'refused':
    case 'too-many-requests':
    case 'too-large':
    case 'unresolved':
      return refusal(499, error)
  }
}

function refusal(status: StagerStatus, { message }: StagerdError): StagerAnswer {
  return { status, text: oneLine(message), ours: false }
}

function ourFault(code: string): StagerAnswer {
  return { status: 499, text: `stagerd failed${code}: its log says why, and the stager is not to blame.`, ours: true }
}

/** The text of a 445. */
export function unmarshalled(error: unknown): string {
  return oneLine(`Failed to marshal environment variables: ${messageOf(error)}`)
}

const MAX_TEXT = 1000

/** Messages may have several lines, and may quote what a stager sent. */
function oneLine(text: string): string {
  return shorten(
    text
      .replace(/\s*[\r\n]+\s*/g, '; ')
      .replace(/\p{Control}/gu, '?')
      .trim(),
    MAX_TEXT,
  )
}
