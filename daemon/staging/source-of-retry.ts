import { Conflict } from '../../base/errors.js'
import type { Result } from '../model/result.js'
import { isTerminal, type Staging, type StagingSource } from '../model/staging.js'

/**
 * What a retry stages; undefined for the package's own data, which a failed staging has left as it was.
 *
 * A package that is ready has the result as its data. Its source is kept with its results.
 *
 * Throws `Conflict` (`staging-not-ended`, `staging-source-gone`, `secrets-gone`).
 */
export async function sourceOfRetry(
  { uuid, state, source, awaitsSource, input, secrets }: Staging,
  results: () => Promise<readonly Result[]>,
): Promise<StagingSource | undefined> {
  if (secrets.length > 0 && isTerminal(state))
    throw new Conflict(
      'secrets-gone',
      `Staging ${uuid} was given secrets (${secrets.join(', ')}), which were deleted at its end: stage the package again, and give them again.`,
    )
  if (awaitsSource && isTerminal(state))
    throw new Conflict(
      'staging-source-gone',
      `Staging ${uuid} ended before its data had been fetched: have it requested again.`,
    )
  switch (state) {
    case 'failed':
    case 'cancelled':
      return source
    case 'queued':
    case 'running':
      throw new Conflict(
        'staging-not-ended',
        `Staging ${uuid} is ${state}: only a staging that has ended can be retried; cancel it, or wait.`,
      )
    case 'succeeded': {
      const resource = input?.resource
      const isKept =
        resource && (await results()).some(({ making }) => making?.input.resource.sha256 === resource.sha256)
      if (!isKept)
        throw new Conflict(
          'staging-source-gone',
          `The source of staging ${uuid} is not kept any more, because its result is not: stage the package from its directory again.`,
        )
      return { dependencies: undefined, environment: undefined, ...source, resource }
    }
  }
}
