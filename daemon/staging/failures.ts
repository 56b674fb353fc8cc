import { type ErrorKind, StagerdError, messageOf } from '../../base/errors.js'
import type { Ending, ForcedEnding } from '../../isolation/isolation.js'
import { RELAUNCH_LIMIT, type Failure } from '../model/staging.js'

/** Why the requests of a launch are refused that is being ended: the end of a sentence, for the author of the stager. */
export function whyEnded(ending: ForcedEnding): string {
  switch (ending.kind) {
    case 'stopped':
      return 'it was stopped'
    case 'engine-lost':
      return 'the Docker Engine does not answer, and the stager is launched again'
    case 'limits-unknown':
      return 'its limits could not be enforced'
    case 'timeout':
    case 'out-of-memory':
    case 'disk-full':
    case 'pids-limit':
      return failureOfEnding('', ending).message
  }
}

/** The failure of a launch that ended without a verdict, as users see it. */
export function failureOfEnding(stager: string, ending: Exclude<Ending, { kind: 'stopped' | 'engine-lost' }>): Failure {
  switch (ending.kind) {
    case 'exited':
      return {
        cause: 'no-verdict',
        stager,
        message: `it ended with exit code ${ending.exitCode} and without a verdict`,
        hint: 'A stager ends with a POST to $STAGER_URL/done, /failed or /relaunch; its last lines may show why it did not.',
      }
    case 'not-runnable':
      return {
        cause: 'not-runnable',
        stager,
        message: `its program cannot run: ${ending.reason}`,
        hint: `Correct the package of the stager, or its start command: see 'stagectl stager show ${stager}'.`,
      }
    case 'limits-unknown':
      return {
        cause: 'infrastructure',
        stager,
        message: `it was ended because its limits could not be enforced: ${sentenceEnd(ending.error)}`,
        hint: "See 'stagectl node doctor' and the daemon's log, then 'stagectl staging retry'.",
      }
    case 'timeout':
      return {
        cause: 'timeout',
        stager,
        message: `it ran longer than ${inWords(ending.afterMs)}`,
        hint: `If it needs more, allow it with 'stagectl stager update ${stager} --timeout ${twiceAsLong(ending.afterMs)}'.`,
      }
    case 'out-of-memory':
      return {
        cause: 'out-of-memory',
        stager,
        message: `it needed more memory than its limit of ${inMegabytes(ending.limitBytes)}`,
        hint: `Allow more with 'stagectl stager update ${stager} --memory ${twice(ending.limitBytes)}'.`,
      }
    case 'disk-full':
      return {
        cause: 'disk-full',
        stager,
        message: `it wrote ${inMegabytes(ending.usedBytes)}, more than its limit of ${inMegabytes(ending.limitBytes)}`,
        hint: `Allow more with 'stagectl stager update ${stager} --disk ${twice(ending.limitBytes)}'.`,
      }
    case 'pids-limit':
      return {
        cause: 'pids-limit',
        stager,
        message: `it exceeded its limit of ${ending.limit} processes and threads`,
        hint: `Allow more with 'stagectl stager update ${stager} --pids ${ending.limit * 2}'.`,
      }
  }
}

export function failureOfDataLimit(stager: string, limitBytes: number): Failure {
  return {
    cause: 'data-limit',
    stager,
    message: `it sent more data than its limit of ${inMegabytes(limitBytes)} in the store`,
    hint: 'Let it send less, or have whoever runs stagerd raise the setting launch-data.',
  }
}

export function failureOfVerdict(stager: string): Failure {
  return {
    cause: 'stager-failed',
    stager,
    message: 'it reported failure',
    hint: 'Its last lines show why; correct the application and stage it again.',
  }
}

export function failureOfRelaunches(stager: string): Failure {
  return {
    cause: 'relaunch-limit',
    stager,
    message: `it asked to be relaunched more than ${RELAUNCH_LIMIT} times`,
    hint: 'A stager relaunches to get a dependency that it has added; look for one that it adds repeatedly.',
  }
}

export function failureOfInterruptions(stager: string, times: number): Failure {
  return {
    cause: 'infrastructure',
    stager,
    message: `it was interrupted ${times} times, because its node or the Docker Engine there ended while it ran`,
    hint: "It may be what ends them: see 'stagectl node doctor' and the daemon's log, then 'stagectl staging retry'.",
  }
}

export function failureOfFetch(): Failure {
  return {
    cause: 'fetch-failed',
    stager: undefined,
    message: 'the data to be staged could not be fetched',
    hint: 'The lines before show why; correct what they name, and send the request again.',
  }
}

type Meaning = Pick<Failure, 'cause' | 'hint'>

const OURS: Meaning = {
  cause: 'infrastructure',
  hint: "The daemon's log has the details; then 'stagectl staging retry'.",
}
const TO_CORRECT: Meaning = { cause: 'stager-failed', hint: 'Correct what the message names, and stage again.' }

const MEANINGS: Readonly<Record<ErrorKind, Meaning>> = {
  'bad-input': TO_CORRECT,
  'too-large': TO_CORRECT,
  'not-runnable': { ...TO_CORRECT, cause: 'not-runnable' },
  unresolved: {
    cause: 'unresolved',
    hint: "Depend on what is there (see 'stagectl package list'), or import a package that provides what is missing.",
  },
  refused: {
    cause: 'policy',
    hint: "See 'stagectl policy list', and 'stagectl package resolve' for what the rules allow.",
  },
  unavailable: { cause: 'infrastructure', hint: "See 'stagectl node doctor', then 'stagectl staging retry'." },
  'not-found': OURS,
  unauthenticated: OURS,
  'too-many-requests': OURS,
  conflict: OURS,
  fault: OURS,
}

const OVER_QUOTA: Meaning = {
  cause: 'policy',
  hint: "Delete packages that are not needed, or have the quota raised; 'stagectl policy list' shows what sets it.",
}

/** The failure of a launch that could not be started, or whose verdict is refused. The kind of the error decides the cause. */
export function failureOfError(stager: string | undefined, error: unknown): Failure {
  if (!(error instanceof StagerdError)) return { ...OURS, stager, message: 'stagerd itself failed' }
  const meaning = error.code === 'package-quota' ? OVER_QUOTA : MEANINGS[error.kind]
  const failure = { ...meaning, stager, message: sentenceEnd(error) }
  if (error.kind !== 'not-runnable' || stager === undefined) return failure
  return { ...failure, hint: `Correct what the message names, and stage again: see 'stagectl stager show ${stager}'.` }
}

/** Error messages are complete sentences, but a failure message is the end of one. */
function sentenceEnd(error: unknown): string {
  return messageOf(error).replace(/\.$/, '')
}

/** A limit for an option of `stagectl`. */
function twice(bytes: number): string {
  return `${Math.ceil(bytes / 1024 / 1024) * 2}MB`
}

function twiceAsLong(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000) * 2
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`
}

function inMegabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MB`
}

function inWords(milliseconds: number): string {
  const seconds = milliseconds / 1000
  if (seconds < 120) return `${seconds} seconds`
  return `${Math.round(seconds / 60)} minutes`
}
