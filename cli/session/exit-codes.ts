import { type ErrorKind, StagerdError, Unavailable } from '../../base/errors.js'
import type { Cause, Staging } from '../../daemon/documents/staging.js'
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

const MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  success: 'success',
  stagerdFailed: 'stagerd failed',
  usage: 'the command line is invalid',
  noDaemon: 'no stagerd answers',
  badInput: 'not found, conflict, bad input, or a file or output that cannot be used',
  refused: 'refused by policy or quota, or for lack of access',
  stagerFailed: 'a stager reported failure, ended without a verdict, or cannot run',
  timeout: 'timeout',
  limit: 'limit of memory, disk, processes or data reached',
  unresolved: 'dependencies cannot be resolved',
  cancelled: 'cancelled',
}

/** The exit codes and their meanings, for the help text. */
export function describeExitCodes(): string {
  const names = Object.keys(EXIT) as (keyof typeof EXIT)[]
  return ['Exit codes:', ...names.map((name) => `${String(EXIT[name]).padStart(3)}  ${MEANINGS[name]}`), ''].join('\n')
}

const EXIT_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  'bad-input': EXIT.badInput,
  'not-runnable': EXIT.badInput,
  'not-found': EXIT.badInput,
  conflict: EXIT.badInput,
  'too-large': EXIT.badInput,
  unauthenticated: EXIT.refused,
  refused: EXIT.refused,
  'too-many-requests': EXIT.refused,
  unresolved: EXIT.unresolved,
  unavailable: EXIT.stagerdFailed,
  fault: EXIT.stagerdFailed,
}

/** The exit code for a thrown error. */
export function exitCodeOfError(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage
  if (error instanceof DaemonUnreachable) return EXIT.noDaemon
  if (error instanceof Interrupted) return EXIT.cancelled
  // Of this host, or of a server of sources: stagerd has not failed.
  if (error instanceof Unavailable) return EXIT.badInput
  return error instanceof StagerdError ? EXIT_OF_KIND[error.kind] : EXIT.stagerdFailed
}

const EXIT_OF_STATE: Readonly<Record<string, number>> = {
  queued: EXIT.stagerdFailed,
  running: EXIT.stagerdFailed,
  succeeded: EXIT.success,
  failed: EXIT.stagerdFailed,
  cancelled: EXIT.cancelled,
} satisfies Record<Staging['state'], number>

const EXIT_OF_CAUSE: Readonly<Record<string, number>> = {
  'stager-failed': EXIT.stagerFailed,
  'no-verdict': EXIT.stagerFailed,
  'not-runnable': EXIT.stagerFailed,
  'relaunch-limit': EXIT.stagerFailed,
  timeout: EXIT.timeout,
  'out-of-memory': EXIT.limit,
  'disk-full': EXIT.limit,
  'pids-limit': EXIT.limit,
  'data-limit': EXIT.limit,
  unresolved: EXIT.unresolved,
  policy: EXIT.refused,
  'fetch-failed': EXIT.badInput,
  infrastructure: EXIT.stagerdFailed,
} satisfies Record<Cause, number>

/** Exit code for a staging that has ended. A newer daemon may send a state or a cause that is unknown here. */
export function exitCodeOfStaging({ state, failure }: Staging): number {
  const code = failure ? EXIT_OF_CAUSE[failure.cause] : EXIT_OF_STATE[state]
  return code ?? EXIT.stagerdFailed
}
