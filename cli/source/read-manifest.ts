import { statSync } from 'node:fs'
import path from 'node:path'
import { BadInput } from '../../base/errors.js'
import type { Manifest, ManifestText, ParsedManifest } from '../../daemon/documents/manifest.js'
import { ApiProblem } from '../api/api-problem.js'
import { readTextFile } from '../session/read-text-file.js'
import type { Session } from '../session/session.js'
import type { ManifestPlaces } from './manifest-place.js'

/** The manifest of an application, in its directory. */
export const MANIFEST_FILE = 'continuum.conf'

export interface ManifestFile extends ManifestPlaces {
  /** Absolute. */
  readonly file: string
  readonly text: string
  readonly manifest: Manifest
}

/**
 * Reads a manifest and lets the daemon parse it. Throws what `readTextFile` throws, or `BadInput` (`bad-syntax`) with the
 * file and the positions of the mistakes.
 *
 * @param given its path as the user wrote it, or a path for messages
 */
export async function readManifest(session: Session, given: string): Promise<ManifestFile> {
  const { api, io, signal } = session
  const text = await readTextFile(session, given, 'give the path of a manifest, such as continuum.conf')
  const document: ManifestText = { manifest: text }
  try {
    const { places, ...manifest } = await api.post<ParsedManifest>('/v1/manifests', document, { signal })
    return { file: path.resolve(io.cwd, given), text, manifest, given, places }
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== 'bad-syntax') throw error
    throw new BadInput('bad-syntax', `${given}: ${error.message}`, { cause: error })
  }
}

/** The manifest in a directory; undefined without one. */
export async function findManifest(session: Session, directory: string): Promise<ManifestFile | undefined> {
  const given = path.join(directory, MANIFEST_FILE)
  return isFile(path.resolve(session.io.cwd, given)) ? await readManifest(session, given) : undefined
}

function isFile(file: string): boolean {
  try {
    return statSync(file).isFile()
  } catch {
    return false
  }
}
