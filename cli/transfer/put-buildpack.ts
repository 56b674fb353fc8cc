import type { Capability } from '../../daemon/documents/capability.js'
import type { Package, PackageDraft } from '../../daemon/documents/package.js'
import { packagePath } from '../api/paths.js'
import type { Session } from '../session/session.js'
import { prepareDirectory } from './prepare-tarball.js'
import { findReplaceable, putPackage } from './put-package.js'
import { upload } from './upload.js'

/** Where the stager `buildpack` finds them (stagers/buildpack/stage). */
const DIRECTORY = 'opt/buildpacks'

/** What the stager has a package depend on while it is staged. */
export function capabilityOf(name: string): Capability {
  return { type: 'package', name: `buildpack-${name}` }
}

/** The local name of its package. */
export function packageOfBuildpack(name: string): string {
  return `buildpack-${name}`
}

/**
 * Makes a ready package of a buildpack, or gives an existing one its files.
 *
 * @param dependencies what its programs need; undefined: as before
 */
export async function putBuildpack(
  session: Session,
  name: string,
  directory: string,
  dependencies: readonly Capability[] | undefined,
): Promise<Package> {
  const { api, signal } = session
  const { fqn, ...names } = session.newName(packageOfBuildpack(name), 'package')
  const before = await findReplaceable(session, fqn)
  const tarball = await prepareDirectory(session, directory, `${DIRECTORY}/${name}`)
  const { sha256: resource } = await upload(session, tarball, names.namespace)
  const provided = capabilityOf(name)
  if (!before) {
    const draft: PackageDraft = {
      ...names,
      resource,
      state: 'ready',
      provides: [provided],
      ...(dependencies ? { dependencies: [...dependencies] } : {}),
    }
    return await api.post<Package>('/v1/packages', draft, { signal })
  }
  if (!before.provides.some((one) => one.type === provided.type && one.name === provided.name))
    await api.patch<Package>(packagePath(before.uuid), { provides_add: [provided] }, { signal })
  return await putPackage(session, names, before, { resource, state: 'ready', dependencies, environment: undefined })
}
