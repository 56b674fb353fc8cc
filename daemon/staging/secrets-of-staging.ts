import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { StagerSnapshot } from '../model/staging.js'

/**
 * Throws `BadInput`: `secret-not-taken` for a secret that no stager would get, `secrets-not-kept` where a container would be
 * kept with them.
 */
export function assertTaken(
  names: readonly string[],
  {
    pipelineFqn,
    stagers,
    keepFailedMs,
  }: {
    readonly pipelineFqn: string
    readonly stagers: readonly StagerSnapshot[]
    readonly keepFailedMs: number | undefined
  },
): void {
  const taken = new Set(stagers.flatMap(({ secrets = [] }) => secrets))
  const others = names.filter((name) => !taken.has(name))
  if (others.length > 0)
    throw new BadInput(
      'secret-not-taken',
      `No stager of ${pipelineFqn} takes the secret ${others.map(quote).join(', ')}${taken.size > 0 ? `, only ${[...taken].map(quote).join(', ')}` : ''}: let one take it with 'stagectl stager update STAGER --secret-add NAME'.`,
    )
  if (names.length > 0 && keepFailedMs !== undefined)
    throw new BadInput(
      'secrets-not-kept',
      'A container that has had secrets is not kept, because they would be kept with it: stage without secrets, or do not ask to keep the container.',
    )
}
