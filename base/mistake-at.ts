import { type ErrorKind, StagerdError } from './errors.js'

class MistakeAt extends StagerdError {
  override readonly kind: ErrorKind

  constructor(place: string, cause: StagerdError) {
    super(cause.code, `${place}: ${cause.message}`, { cause })
    this.kind = cause.kind
  }
}

/** The user can change a value for these; the others concern the host or the daemon. */
const OF_VALUES: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  'bad-input',
  'not-found',
  'conflict',
  'refused',
  'too-large',
  'unresolved',
])

/**
 * `error` as it is to be thrown: with `place` before its sentence, if it can be about a value of a document.
 *
 * @param place of that value; undefined if nobody knows
 */
export function placed(place: string | undefined, error: unknown): unknown {
  if (place === undefined || !(error instanceof StagerdError) || !OF_VALUES.has(error.kind)) return error
  return mistakeAt(place, error)
}

/** `error`, with the place of the value that it is about before its sentence. */
export function mistakeAt(place: string, error: StagerdError): StagerdError {
  return new MistakeAt(place, error)
}
