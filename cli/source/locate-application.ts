import path from 'node:path'
import type { Manifest } from '../../daemon/documents/manifest.js'
import { UsageError } from '../options/usage-error.js'
import { locateSource } from '../pack/locate-source.js'
import type { GlobalOptions, Session } from '../session/session.js'
import { findManifest, MANIFEST_FILE, readManifest, type ManifestFile } from './read-manifest.js'

/** What `stage` packs, and what the manifest says of it. */
export interface Application {
  /** The source: absolute. */
  readonly file: string
  readonly isDirectory: boolean
  /** The directory or archive that names the package, unless something else does. */
  readonly named: { readonly file: string; readonly isDirectory: boolean }
  readonly manifest: Manifest
  /** Undefined without a manifest. */
  readonly text: string | undefined
  /** Manifests that may be in the source: absolute. No stager needs them, and they can hold passwords. */
  readonly leaveOut: readonly string[]
}

/**
 * Finds the source of an application, and its manifest: the one that the user names, or the one in the directory of the
 * application. Without a source, the manifest that the user names says where it is.
 *
 * Throws what `locateSource` and `readManifest` throw, and `UsageError`.
 */
export async function locateApplication(
  session: Session,
  source: string | undefined,
  config: string | undefined,
): Promise<Application> {
  const found = config === undefined ? undefined : await readManifest(session, config)
  if (source === undefined) {
    if (config === undefined || !found)
      throw new UsageError('Give either a source, such as `stagectl stage .`, or the name of an image with --image.')
    return await inDirectory(session, path.dirname(config), found)
  }
  const file = path.resolve(session.io.cwd, source)
  const isDirectory = (await locateSource(file, source)) === 'directory'
  // Who names both means this source, and not the one that the manifest names.
  if (found || !isDirectory) return applicationOf({ file, isDirectory }, { file, isDirectory }, found)
  return await inDirectory(session, source, await findManifest(session, source))
}

/** The session in the namespace of a manifest, which is that of everything that it names. An option goes over it. */
export function withinManifest(session: Session, { namespace }: GlobalOptions, manifest: Manifest): Session {
  return namespace === undefined ? session.within(manifest.namespace ?? session.namespace) : session
}

/** @param directory as the user wrote it */
async function inDirectory(session: Session, directory: string, found: ManifestFile | undefined): Promise<Application> {
  const named = { file: path.resolve(session.io.cwd, directory), isDirectory: true }
  const within = found?.manifest.path
  if (within === undefined) return applicationOf(named, named, found)
  const file = path.join(named.file, within)
  const isDirectory = (await locateSource(file, path.join(directory, within))) === 'directory'
  return applicationOf({ file, isDirectory }, named, found)
}

function applicationOf(
  source: Pick<Application, 'file' | 'isDirectory'>,
  named: Application['named'],
  found: ManifestFile | undefined,
): Application {
  return {
    file: source.file,
    isDirectory: source.isDirectory,
    named,
    manifest: found?.manifest ?? {},
    text: found?.text,
    leaveOut: [path.join(source.file, MANIFEST_FILE), ...(found ? [found.file] : [])],
  }
}
