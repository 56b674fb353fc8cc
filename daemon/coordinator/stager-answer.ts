import { BadInput, Conflict, Fault, messageOf, StagerdError, Unavailable } from '../../base/errors.js'

/** The Stager API's own status codes, with the reason phrases that go beside them. */
export const REASONS = {
  445: 'Environment Not Marshalled',
  448: 'Resource Not Supported',
  450: 'UUID Missing',
  451: 'UUID Not Valid',
  452: 'UUID Not Current',
  499: 'Stager Request Failed',
} as const

export type StagerStatus = keyof typeof REASONS

/** A refusal whose status code has been decided where it was found. */
export class StagerRefusal extends StagerdError {
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
  /** One line, without anything of the host in it. */
  readonly text: string
  /** Not the stager's doing: the operator should hear of it. */
  readonly ours: boolean
}

/** What a stager is told of `error`. A stack, or the message of a fault, which may name paths of the host, never is. */
export function answerTo(error: unknown): StagerAnswer {
  if (error instanceof StagerRefusal) return { status: error.status, text: oneLine(error.message), ours: false }
  if (error instanceof Conflict && error.code === 'launch-over')
    return { status: 452, text: oneLine(error.message), ours: false }
  // What `GET /meta` could not hand out is refused with the code that it would have there.
  if (error instanceof BadInput && error.code === 'bad-environment-value')
    return { status: 445, text: unmarshalled(error), ours: false }
  if (error instanceof Unavailable)
    return { status: 499, text: `stagerd cannot do this now (${error.code}): try again later.`, ours: true }
  if (error instanceof StagerdError && !(error instanceof Fault))
    return { status: 499, text: oneLine(error.message), ours: false }
  const code = error instanceof Fault ? ` (${error.code})` : ''
  return { status: 499, text: `stagerd failed${code}: its log says why, and the stager is not to blame.`, ours: true }
}

/** The text of a 445. */
export function unmarshalled(error: unknown): string {
  return oneLine(`Failed to marshal environment variables: ${messageOf(error)}`)
}

const LONGEST_TEXT = 1000

/** Some messages are explanations of several lines; some quote what a stager sent. */
function oneLine(text: string): string {
  const line = text
    .replace(/\s*[\r\n]+\s*/g, '; ')
    .replace(/\p{Control}/gu, '?')
    .trim()
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT - 3)}...` : line
}
