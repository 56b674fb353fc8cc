import type { Capability, PackageMetadata } from '../packages/metadata.js'
import type { Resource } from '../packages/package.js'
import type { Limits } from '../../isolation/launch-plan.js'

export type StagingState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** Nothing more happens to it. */
export function isTerminal(state: StagingState): boolean {
  switch (state) {
    case 'queued':
    case 'running':
      return false
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return true
  }
}

/**
 * `starting`: intended; resources may exist from here on. `running`: the stager's program runs. `done`, `failed` and
 * `relaunched` are verdicts or causes; `aborted` is an end that says nothing of the stager: a crash of ours, the Engine
 * gone, a cancellation.
 */
export type LaunchState = 'starting' | 'running' | 'done' | 'failed' | 'relaunched' | 'aborted'

/** What a stager can say of its own end. */
export type Verdict = 'done' | 'failed' | 'relaunch'

export type Cause =
  | 'stager-failed'
  | 'no-verdict'
  | 'timeout'
  | 'out-of-memory'
  | 'disk-full'
  | 'pids-limit'
  | 'relaunch-limit'
  | 'unresolved'
  | 'policy'
  | 'infrastructure'

/** Why a staging failed, in the words that the user is shown. */
export interface Failure {
  readonly cause: Cause
  /** FQN of the stager that was at work, if one was. */
  readonly stager: string | undefined
  /** One sentence. */
  readonly message: string
  /** What to do next. */
  readonly hint: string
}

/** The package as the stagers see it: changed with each verdict, and copied to the package itself on success. */
export interface WorkingCopy extends PackageMetadata {
  readonly resource: Resource
}

/** New data for a package, with what is to be changed of its metadata; it becomes the package's own on success. */
export interface StagingSource {
  readonly resource: Resource
  /** Instead of those of the package. */
  readonly dependencies: readonly Capability[] | undefined
  /** Over that of the package. */
  readonly environment: Readonly<Record<string, string>> | undefined
}

/** A stager as it was when the staging was submitted: later edits change later stagings only. */
export interface StagerSnapshot {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  /** UUID of the package that holds the stager's program. */
  readonly packageUuid: string
  readonly startCommand: string
  /** Root is the staged package's closure with the stager's own package on top. */
  readonly additive: boolean
  readonly egress: boolean
  readonly user: string
  readonly limits: Limits
  readonly dependencies: readonly Capability[]
  readonly environment: Readonly<Record<string, string>>
}

export interface Staging {
  readonly uuid: string
  /** Grows with every submission: the order of admission. */
  readonly sequence: number
  readonly state: StagingState
  readonly packageUuid: string
  readonly packageFqn: string
  readonly pipelineFqn: string
  readonly stagers: readonly StagerSnapshot[]
  /** Index into `stagers` of the one that is, or will be, at work. */
  readonly step: number
  /** How often the stager at `step` has asked to be relaunched. */
  readonly relaunches: number
  /** How often a launch ended by a fault of ours since the last verdict. */
  readonly interruptions: number
  readonly cancelRequested: boolean
  readonly work: WorkingCopy
  /** What it began with, unless with the package's own data. */
  readonly source: StagingSource | undefined
  readonly failure: Failure | undefined
  readonly launches: readonly Launch[]
  readonly submittedAt: string
  readonly startedAt: string | undefined
  readonly endedAt: string | undefined
}

export interface Launch {
  readonly uuid: string
  readonly stagerFqn: string
  readonly step: number
  readonly state: LaunchState
  readonly exitCode: number | undefined
  readonly startedAt: string
  readonly endedAt: string | undefined
}

/** How often a stager may ask to be relaunched within one staging. */
export const RELAUNCH_LIMIT = 10

/** How often a launch may be lost to a fault of ours before the staging fails with `infrastructure`. */
export const INTERRUPTION_LIMIT = 5
