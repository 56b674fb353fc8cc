import { Conflict } from '../../base/errors.js'
import type { Session } from './session.js'

/**
 * Throws `Conflict` (`name-taken`) when `path` leads to something: asked before an upload, rather than told after it.
 * The daemon has the last word.
 */
export async function assertNameFree(session: Session, path: string, fqn: string, instead: string): Promise<void> {
  const taken = await session.api.find(path, { signal: session.signal })
  if (taken !== undefined) throw new Conflict('name-taken', `${fqn} exists already: ${instead}`)
}
