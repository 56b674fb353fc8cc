import { Conflict } from '../../base/errors.js'
import type { Session } from './session.js'

/**
 * Throws `Conflict` (`name-taken`) when `path` exists. This finds a conflict before an upload; the daemon checks again
 * when it creates the object.
 */
export async function assertNameAvailable(session: Session, path: string, fqn: string, hint: string): Promise<void> {
  const existing = await session.api.find(path, { signal: session.signal })
  if (existing !== undefined) throw new Conflict('name-taken', `${fqn} exists already: ${hint}`)
}
