import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { Conflict } from '../../../base/errors.js'
import { Connection } from './connection.js'

/**
 * One daemon for each state directory. The lock is SQLite's own, on a file beside the database: the kernel takes it
 * back with the process, so that kill -9 leaves nothing to be cleared away.
 *
 * Throws `Conflict` (`state-dir-in-use`).
 *
 * @returns a function that lets go
 */
export function lockStateDirectory(file: string): () => void {
  // Whoever may read the file could take a lock on it, and keep the daemon from starting.
  closeSync(openSync(file, 'a', 0o600))
  const lock = new Connection(file, { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    throw new Conflict(
      'state-dir-in-use',
      `Another stagerd uses the state directory ${dirname(file)}: stop it, or give this one another with --state-dir.`,
      { cause: error },
    )
  }
  return () => lock.close()
}
