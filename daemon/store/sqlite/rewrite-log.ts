import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf } from '../../../base/errors.js'

/**
 * Puts a copy in the place of the write-ahead log of a database that nobody has open.
 *
 * When an fsync fails, the kernel takes what could not be written for written: it shows it to whoever reads the file, until
 * the power fails. A commit that failed so stands in the log, SQLite would take it up, and what is committed behind it
 * would be lost with it. The bytes of a copy are on the disk, or this throws.
 */
export function rewriteLog(database: string): void {
  const log = `${database}-wal`
  const content = readIfExists(log)
  if (!content || content.length === 0) return
  const copy = `${log}.new`
  const file = openSync(copy, 'w', 0o600)
  try {
    for (let at = 0; at < content.length;) at += writeSync(file, content, at)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(copy, log)
  const directory = openSync(dirname(log), 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

function readIfExists(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
