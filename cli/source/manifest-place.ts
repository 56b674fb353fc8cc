import { type ErrorKind, StagerdError } from '../../base/errors.js'
import type { ParsedManifest } from '../../daemon/documents/manifest.js'

/** Where the values of a manifest come from. */
export interface ManifestPlaces {
  /** Its path as the user wrote it. */
  readonly given: string
  /** Undefined from a daemon that does not tell. */
  readonly places: ParsedManifest['places']
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

/** What is wrong with a value of a manifest, with its place before the sentence. */
class MistakeInManifest extends StagerdError {
  override readonly kind: ErrorKind

  constructor(place: string, cause: StagerdError) {
    super(cause.code, `${place}: ${cause.message}`, { cause })
    this.kind = cause.kind
  }
}

/** `error` about the value of a manifest at `key`, as `ParsedManifest.places` names it, with the place of that value. */
export function mistakeAt({ given, places }: ManifestPlaces, key: string, error: StagerdError): StagerdError {
  const at = places?.[key]
  return new MistakeInManifest(at ? `${given}: Line ${at.line}, column ${at.column}` : given, error)
}

/**
 * Runs `judge` on the value of a manifest at `key`. What it throws about that value says where the value is.
 *
 * @param manifest undefined for a value from elsewhere
 */
export async function judgeValue<T>(
  manifest: ManifestPlaces | undefined,
  key: string,
  judge: () => Promise<T>,
): Promise<T> {
  try {
    return await judge()
  } catch (error) {
    if (!manifest || !(error instanceof StagerdError) || !OF_VALUES.has(error.kind)) throw error
    throw mistakeAt(manifest, key, error)
  }
}
