import type { StagerdError } from '../../base/errors.js'
import { mistakeAt, placed } from '../../base/mistake-at.js'
import type { ParsedManifest } from '../../daemon/documents/manifest.js'

/** Where the values of a manifest come from. */
export interface ManifestPlaces {
  /** Its path as the user wrote it. */
  readonly given: string
  /** Undefined from a daemon that does not tell. */
  readonly places: ParsedManifest['places']
}

/** `error` about the value of a manifest at `key`, as `ParsedManifest.places` names it, with the place of that value. */
export function mistakeInManifest(manifest: ManifestPlaces, key: string, error: StagerdError): StagerdError {
  return mistakeAt(placeIn(manifest, key), error)
}

function placeIn({ given, places }: ManifestPlaces, key: string): string {
  const at = places?.[key]
  return at ? `${given}: Line ${at.line}, column ${at.column}` : given
}

/**
 * Runs `judge` on the value of a manifest at `key`. What it throws about that value says where the value is.
 *
 * @param manifest undefined for a value from elsewhere
 */
export async function judgeValue<T>(
  manifest: ManifestPlaces | undefined,
  key: string,
  judge: () => T | Promise<T>,
): Promise<T> {
  try {
    return await judge()
  } catch (error) {
    throw placed(manifest && placeIn(manifest, key), error)
  }
}
