import type { StagerSnapshot, Staging } from '../model/staging.js'

// Lines of the log of a staging that is answered from an earlier result, in part, or not.

export const COMPLETE = 'Staging is complete.'

export function beginning({ pipelineFqn, stagers }: Staging): string {
  return `Beginning staging with '${pipelineFqn}' pipeline, ${stagers.length} stager(s) defined.`
}

/** @param withheld variables of the package that the stager does not get */
export function launching({ name }: Pick<StagerSnapshot, 'name'>, withheld: readonly string[]): string[] {
  const line = `Launching instance of stager '${name}'...`
  if (withheld.length === 0) return [line]
  return [line, `Not given to the stager, because other programs would be steered by it: ${withheld.join(', ')}.`]
}

export function reuseOf({ reused }: Pick<Staging, 'reused'>): string {
  return `Reused the result of staging ${reused}: nothing that it was made from has changed.`
}

export function takeOverOf({ stagers, takenOver }: Staging): string {
  const names = stagers.slice(0, takenOver?.stagers).map(({ name }) => `'${name}'`)
  const [made, they] = names.length === 1 ? ['has made', 'it was'] : ['have made', 'they were']
  return `Reused what ${names.join(', ')} ${made} in staging ${takenOver?.staging}: nothing that ${they} given has changed.`
}
