import { escapeControls } from '../../base/escape-controls.js'
import { shorten } from '../../base/shorten.js'
import { REASONS, type StagerStatus } from './stager-answer.js'

/** How many lines one launch may get. A stager that asks in a loop must not fill the log of the staging. */
const MAX_LINES = 100
/** How many of them may be the same. */
const MAX_SAME = 5

const MAX_TARGET = 120

/** What was asked for; undefined for bytes that are no HTTP request. */
export interface RefusedRequest {
  readonly method: string
  /** Without the UUID. */
  readonly operation: string
}

/**
 * Tells why requests of one launch got no 200, one line each, for the log of the staging. Common clients print the number
 * of an answer at most, and not its text.
 */
export class Refusals {
  readonly #tell: (line: string) => void
  readonly #counts = new Map<string, number>()
  #lines = 0

  /** @param tell gets lines without control characters */
  constructor(tell: (line: string) => void) {
    this.#tell = tell
  }

  /** A request was answered with a status of the Stager API. */
  answered(request: RefusedRequest | undefined, status: StagerStatus, text: string): void {
    this.#add(`${nameOf(request)} was refused with ${status} (${REASONS[status]}): ${text}`)
  }

  /** The answer had begun when the request failed. */
  brokenOff(request: RefusedRequest, text: string): void {
    this.#add(`The answer to ${nameOf(request)} was broken off: ${text}`)
  }

  /** A connection was closed before it could send anything. */
  turnedAway(text: string): void {
    this.#add(`A connection was closed on arrival: ${text}`)
  }

  #add(text: string): void {
    const line = escapeControls(text)
    const count = (this.#counts.get(line) ?? 0) + 1
    if (count > MAX_SAME || this.#lines >= MAX_LINES) return
    this.#counts.set(line, count)
    this.#write(line)
    if (count === MAX_SAME) this.#write('Further refusals like this one are not logged.')
    if (this.#lines >= MAX_LINES) this.#tell('Further refusals of this launch are not logged.')
  }

  #write(line: string): void {
    this.#lines += 1
    this.#tell(line)
  }
}

function nameOf(request: RefusedRequest | undefined): string {
  if (!request) return 'A request'
  return `${request.method} /${shorten(request.operation, MAX_TARGET)}`
}
