import { Conflict } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import type { StagingSource, WorkingCopy } from '../../model/staging.js'
import { withManifest } from '../../packages/manifest/apply-manifest.js'
import type { Package } from '../../packages/package.js'

/**
 * The package as the first stager sees it. Throws `Conflict` (`package-busy`) if it is being staged, `package-empty` if it
 * has no data.
 */
export function workingCopyOf(found: Package, source: StagingSource | undefined): WorkingCopy {
  const { state, resource } = found
  if (state === 'staging')
    throw new Conflict(
      'package-busy',
      `${formatFqn('package', found)} is being staged already: wait until the staging has ended, or cancel it.`,
    )
  if (!resource)
    throw new Conflict('package-empty', `${formatFqn('package', found)} has no data to stage: upload some first.`)
  const { dependencies, provides, environment, templates, manifest } = source?.manifest
    ? withManifest(found, source.manifest)
    : found
  return {
    dependencies: source?.dependencies ?? dependencies,
    provides,
    environment: source?.ownEnvironment ? { ...source.environment } : { ...environment, ...source?.environment },
    templates,
    ...(manifest ? { manifest } : {}),
    resource: source?.resource ?? resource,
  }
}
