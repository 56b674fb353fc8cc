import type { Staging } from '../model/staging.js'

// Lines of the log of a staging that is answered from an earlier result, or not.

export const COMPLETE = 'Staging is complete.'

export function beginning({ pipelineFqn, stagers }: Staging): string {
  return `Beginning staging with '${pipelineFqn}' pipeline, ${stagers.length} stager(s) defined.`
}

export function reuseOf({ reused }: Pick<Staging, 'reused'>): string {
  return `Reused the result of staging ${reused}: nothing that it was made from has changed.`
}
