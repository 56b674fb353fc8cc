import { BadInput, Conflict, NotFound, Refused, TooLarge, Unresolved } from '../../base/errors.js'
import type { Staging } from '../../daemon/documents/staging.js'
import { ApiProblem } from '../api/api-problem.js'
import { DaemonUnreachable } from '../api/daemon-unreachable.js'
import { Interrupted } from './interrupts.js'
import { UsageError } from '../options/usage-error.js'

/** Stable: scripts rely on these numbers. */
export const EXIT = {
  success: 0,
  stagerdFailed: 1,
  usage: 2,
  noDaemon: 3,
  badInput: 4,
  refused: 5,
  stagerFailed: 10,
  timeout: 11,
  limit: 12,
  unresolved: 13,
  cancelled: 14,
} as const

/** The exit code for a thrown error. */
export function exitCodeOfError(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage
  if (error instanceof DaemonUnreachable) return EXIT.noDaemon
  if (error instanceof Interrupted) return EXIT.cancelled
  if (error instanceof ApiProblem) return exitCodeOfStatus(error.status)
  if (error instanceof Refused) return EXIT.refused
  if (error instanceof Unresolved) return EXIT.unresolved
  if (error instanceof BadInput || error instanceof NotFound || error instanceof Conflict || error instanceof TooLarge)
    return EXIT.badInput
  return EXIT.stagerdFailed
}

function exitCodeOfStatus(status: number): number {
  if (status === 403 || status === 429) return EXIT.refused
  if (status === 422) return EXIT.unresolved
  return status >= 400 && status < 500 ? EXIT.badInput : EXIT.stagerdFailed
}

/** The exit code for an ended staging. */
export function exitCodeOfStaging(staging: Staging): number {
  if (staging.state === 'succeeded') return EXIT.success
  if (staging.state === 'cancelled') return EXIT.cancelled
  switch (staging.failure?.cause) {
    case 'stager-failed':
    case 'no-verdict':
    case 'relaunch-limit':
      return EXIT.stagerFailed
    case 'timeout':
      return EXIT.timeout
    case 'out-of-memory':
    case 'disk-full':
    case 'pids-limit':
      return EXIT.limit
    case 'unresolved':
      return EXIT.unresolved
    case 'policy':
      return EXIT.refused
    default:
      return EXIT.stagerdFailed
  }
}
