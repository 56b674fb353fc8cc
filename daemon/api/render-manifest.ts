import type { Manifest as ManifestDocument } from '../documents/manifest.js'
import type { Manifest } from '../packages/manifest/manifest.js'

/** A manifest has the form of its document: only the document's type lets its lists be changed. */
export function renderManifest(manifest: Manifest): ManifestDocument {
  return manifest as ManifestDocument
}
