import type { Staging } from '../model/staging.js'
import type { PackageState } from '../packages/package.js'

/**
 * Why a package cannot run, and where to look.
 *
 * @param newest its newest staging, if there is one
 */
export function whyNotReady(
  fqn: string,
  state: PackageState,
  newest: Pick<Staging, 'uuid' | 'state' | 'failure'> | undefined,
): string {
  switch (state) {
    case 'created':
      return `${fqn} has no data yet: only a ready package can run; stage its source with \`stagectl stage\`.`
    case 'staging':
      return `${fqn} is being staged: only a ready package can run; follow the staging with \`stagectl staging logs --follow ${newest?.uuid ?? 'ID'}\`.`
    case 'failed':
    case 'uploaded':
    case 'ready':
  }
  switch (newest?.state) {
    case 'failed': {
      const reason =
        newest.failure === undefined ? '' : ` (${newest.failure.cause}: ${firstLine(newest.failure.message)})`
      return `${fqn} cannot run, because its staging has failed${reason}: see \`stagectl staging logs ${newest.uuid}\`, and stage it again.`
    }
    case 'cancelled':
      return `${fqn} cannot run, because its staging was cancelled: stage it again, with \`stagectl staging retry ${newest.uuid}\` or \`stagectl stage\`.`
    case 'queued':
    case 'running':
    case 'succeeded':
    case undefined:
      return `${fqn} is ${state}: only a ready package can run; stage it first.`
  }
}

/** The rest of an explanation is in the log. */
function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').replace(/[.:]$/, '')
}
