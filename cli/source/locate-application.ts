import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { Manifest } from '../../daemon/documents/manifest.js'
import { UsageError } from '../options/usage-error.js'
import { locateSource } from '../pack/locate-source.js'
import type { GlobalOptions, Session } from '../session/session.js'
import { judgeValue } from './manifest-place.js'
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
  readonly from: ManifestFile | undefined
  /** Manifests that may be in the source: absolute. No stager needs them, and they can hold passwords. */
  readonly leaveOut: readonly string[]
}

/**
 * Finds the source of an application, and its manifest: the one that the user names, or the one in the directory of the
 * application. Without a source, the manifest that the user names says where it is.
 *
 * Throws what `locateSource` and `readManifest` throw, `BadInput` (`path-outside`), and `UsageError`.
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
  const isDirectory = locateSource(file, source) === 'directory'
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
  const given = path.join(directory, within)
  return await judgeValue(found, 'path', async () => {
    const isDirectory = locateSource(file, given) === 'directory'
    await assertWithin(named.file, file, given)
    return applicationOf({ file, isDirectory }, named, found)
  })
}

/** A manifest from elsewhere must not choose what is uploaded, by a link that comes with it. */
async function assertWithin(directory: string, file: string, given: string): Promise<void> {
  const [outer, inner] = await Promise.all([realpath(directory), realpath(file)])
  if (inner === outer || inner.startsWith(outer.endsWith('/') ? outer : `${outer}/`)) return
  throw new BadInput(
    'path-outside',
    `${quote(given)} leads out of the directory of the manifest, to ${quote(inner)}: give that as the source, with --config.`,
  )
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
    from: found,
    leaveOut: [path.join(source.file, MANIFEST_FILE), ...(found ? [found.file] : [])],
  }
}
