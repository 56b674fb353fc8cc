import { Conflict } from '../../base/errors.js'
import type { Bootstrap } from '../model/bootstrap.js'

/** Every method is one transaction, which is durable when the method resolves. */
export interface BootstrapRepository {
  /** The new bootstrap is running. Throws `Conflict` (`bootstrap-running`) if there is one that runs. */
  begin(pipelines: readonly string[]): Promise<Bootstrap>
  /** Throws `NotFound` (`bootstrap-not-found`). */
  get(uuid: string): Promise<Bootstrap>
  /** Newest first. */
  list(limit: number): Promise<readonly Bootstrap[]>
  /** Records its state and its items. */
  save(bootstrap: Bootstrap): Promise<void>
}

export function bootstrapRunning({ pipelines }: Pick<Bootstrap, 'pipelines'>): Conflict {
  return new Conflict(
    'bootstrap-running',
    `Another bootstrap is running: follow it with \`${['stagectl bootstrap', ...pipelines].join(' ')}\`, or cancel it with \`stagectl bootstrap --cancel\`.`,
  )
}
