import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { Conflict, errnoOf } from '../../../base/errors.js'
import { Connection } from './connection.js'

/**
 * Locks the state directory for one daemon, with SQLite's file lock on a file beside the database. The kernel releases it
 * when the process ends, so that kill -9 leaves no stale lock.
 *
 * Throws `Conflict` (`state-dir-in-use`), and errors of the filesystem.
 *
 * @returns a function that releases the lock
 */
export function lockStateDirectory(file: string): () => void {
  // A user who can read the file could lock it, and keep the daemon from starting.
  closeSync(openSync(file, 'a', 0o600))
  const lock = new Connection(file, { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    // Others are about the filesystem.
    if (errnoOf(error) !== 'SQLITE_BUSY') throw error
    throw new Conflict(
      'state-dir-in-use',
      `Another stagerd uses the state directory ${dirname(file)}: stop it, or give this one another with --state-dir.`,
      { cause: error },
    )
  }
  return () => lock.close()
}
