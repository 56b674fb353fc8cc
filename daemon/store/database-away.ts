import { Unavailable } from '../../base/errors.js'

const CODES = [
  'database-unreachable',
  'database-busy',
  'database-locked',
  'postgresql-refused',
  'postgresql-read-only',
] as const

/**
 * Whether the database could not be used. That says nothing about the work that needed it, and may be over soon. A change that
 * was under way may have been made or not.
 */
export function isDatabaseAway(error: unknown): boolean {
  return error instanceof Unavailable && (CODES as readonly string[]).includes(error.code)
}
