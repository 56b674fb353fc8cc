import { Conflict } from '../../../base/errors.js'
import { formatFqn } from '../../../base/fqn.js'
import type { StagingSource, WorkingCopy } from '../../model/staging.js'
import type { Package } from '../../packages/package.js'

/**
 * The package as the first stager sees it. Throws `Conflict` (`package-busy`) if it is being staged, `package-empty` if it
 * has no data.
 */
export function workingCopyOf(found: Package, source: StagingSource | undefined): WorkingCopy {
  const { state, resource, dependencies, provides, environment, templates } = found
  if (state === 'staging')
    throw new Conflict(
      'package-busy',
      `${formatFqn('package', found)} is being staged already: wait until the staging has ended, or cancel it.`,
    )
  if (!resource)
    throw new Conflict('package-empty', `${formatFqn('package', found)} has no data to stage: upload some first.`)
  return {
    dependencies: source?.dependencies ?? dependencies,
    provides,
    environment: { ...environment, ...source?.environment },
    templates,
    resource: source?.resource ?? resource,
  }
}
