import type { WithManifest } from '../packages/manifest/apply-manifest.js'
import type { Manifest } from '../packages/manifest/manifest.js'
import type { Capability } from '../packages/metadata.js'
import type { Resource } from '../packages/package.js'
import type { Limits } from '../../isolation/launch-plan.js'

/**
 * States and causes, each declared once. The API documents, the exit codes and the CLI derive their types from these
 * lists, so that a new member fails to compile wherever it is not handled.
 */

export const STAGING_STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const
export type StagingState = (typeof STAGING_STATES)[number]

/** A staging in a terminal state never changes again. */
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

/** Queued and running stagings hold their package and the packages of their stagers. */
export const OPEN_STATES: readonly StagingState[] = STAGING_STATES.filter((state) => !isTerminal(state))

/** Whether a staging in this state holds its source for a retry. The source of one that succeeded is kept with its result. */
function holdsSource(state: StagingState): boolean {
  switch (state) {
    case 'failed':
    case 'cancelled':
      return true
    case 'queued':
    case 'running':
    case 'succeeded':
      return false
  }
}

export const SOURCE_HOLDING_STATES: readonly StagingState[] = STAGING_STATES.filter(holdsSource)

/**
 * `starting`: recorded; its resources may exist on the host. `running`: the stager's program runs. `done`, `failed` and
 * `relaunched`: ended by a verdict or a cause. `aborted`: ended for a reason that is not the stager's, such as a crash of
 * the daemon, a lost Engine or a cancellation.
 */
export const LAUNCH_STATES = ['starting', 'running', 'done', 'failed', 'relaunched', 'aborted'] as const
export type LaunchState = (typeof LAUNCH_STATES)[number]

/** Whether a launch may have resources on the host. A staging has at most one such launch. */
export function isOpen(state: LaunchState): boolean {
  switch (state) {
    case 'starting':
    case 'running':
      return true
    case 'done':
    case 'failed':
    case 'relaunched':
    case 'aborted':
      return false
  }
}

export const OPEN_LAUNCH_STATES: readonly LaunchState[] = LAUNCH_STATES.filter(isOpen)

/** What a stager reports at its end. */
export type Verdict = 'done' | 'failed' | 'relaunch'

/** Why a staging failed. */
export const CAUSES = [
  'stager-failed',
  'no-verdict',
  'not-runnable',
  'timeout',
  'out-of-memory',
  'disk-full',
  'pids-limit',
  'data-limit',
  'relaunch-limit',
  'unresolved',
  'policy',
  'fetch-failed',
  'infrastructure',
] as const
export type Cause = (typeof CAUSES)[number]

/** The state of a launch that was open when its staging failed. */
export const LAUNCH_STATE_AFTER: Readonly<Record<Cause, Extract<LaunchState, 'failed' | 'aborted'>>> = {
  'stager-failed': 'failed',
  'no-verdict': 'failed',
  'not-runnable': 'failed',
  timeout: 'failed',
  'out-of-memory': 'failed',
  'disk-full': 'failed',
  'pids-limit': 'failed',
  'data-limit': 'failed',
  'relaunch-limit': 'failed',
  unresolved: 'failed',
  policy: 'failed',
  'fetch-failed': 'failed',
  infrastructure: 'aborted',
}

/** A failure as users see it. */
export interface Failure {
  readonly cause: Cause
  /** FQN of the stager that ran, if one did. */
  readonly stager: string | undefined
  /** One sentence. */
  readonly message: string
  /** What to do next. */
  readonly hint: string
}

/** The package as the stagers see it. Each verdict changes it; success copies it to the package itself. */
export interface WorkingCopy extends WithManifest {
  readonly resource: Resource
  /** A stager of this staging has said that its result depends on more than what it was given. */
  readonly unrepeatable?: boolean
  /** Names of the variables that the stager at work has set before it asked to be relaunched. Not there for none. */
  readonly ownVariables?: readonly string[] | undefined
  /** What the stager of the last verdict went on with, in the order in which it asked. Not there for none. */
  readonly needlessRelaunches?: readonly NeedlessRelaunch[] | undefined
}

/** A relaunch that was not needed: the stager would have been given what it had. */
export interface NeedlessRelaunch {
  /** When the stager asked, with the data that it was launched with. */
  readonly work: WorkingCopy
  /** Digest of all that the relaunch would have been given: see staging/launch-digest.ts. */
  readonly given: string
}

/** New data and changed metadata for a package. They become the package's own on success. */
export interface StagingSource {
  readonly resource: Resource
  /** Replace those of the package. */
  readonly dependencies: readonly Capability[] | undefined
  /** Added to that of the package; these values win. */
  readonly environment: Readonly<Record<string, string>> | undefined
  /** `environment` is the whole of it: nothing of the package is added. Not there for what is added. */
  readonly ownEnvironment?: true
  /** Replaces that of the package, with what it gave. The other fields go over it. */
  readonly manifest?: Manifest | undefined
}

/** Whether what it makes depends on nothing but what it is given. */
export function isReproducible({ egress, reproducible }: Pick<StagerSnapshot, 'egress' | 'reproducible'>): boolean {
  return !egress || reproducible === true
}

/** A stager as it was when the staging was submitted. Later edits affect later stagings only. */
export interface StagerSnapshot {
  readonly uuid: string
  readonly namespace: string
  readonly name: string
  /** UUID of the package that holds the stager's program. */
  readonly packageUuid: string
  readonly startCommand: string
  /** The root is the closure of the staged package, with the stager's own package on top. */
  readonly additive: boolean
  readonly egress: boolean
  /** What it makes depends on nothing but what it is given, although it has egress. */
  readonly reproducible?: boolean
  /** It gets no variable of the package that it stages, or of that package's dependencies. */
  readonly cleanEnvironment?: boolean
  /** Names of the secrets of a staging that it is given. */
  readonly secrets?: readonly string[]
  readonly user: string
  readonly limits: Limits
  /** What the request of a staging allows, where that is lower than its own; `limits` has it already. A retry asks for it again. */
  readonly allowed?: Partial<Pick<Limits, 'memoryBytes' | 'diskBytes'>>
  readonly dependencies: readonly Capability[]
  /**
   * What packages are expected to get from it: a package without dependencies is staged as if it had these, so that the
   * stager need not be relaunched for them. Not there for none.
   */
  readonly expects?: readonly Capability[]
  /** It runs on nodes that have all of these. Not there for none. */
  readonly labels?: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

export interface Staging {
  readonly uuid: string
  /** Increases with every submission. Stagings are admitted in this order. */
  readonly sequence: number
  readonly state: StagingState
  readonly packageUuid: string
  readonly packageFqn: string
  readonly pipelineFqn: string
  readonly stagers: readonly StagerSnapshot[]
  /** Index into `stagers` of the stager that runs now or next. */
  readonly step: number
  /** How often the stager at `step` asked to be relaunched. */
  readonly relaunches: number
  /**
   * How often since the last verdict it was interrupted by faults of the infrastructure: a launch was lost, or the term that ran it ended
   * otherwise than by its node.
   */
  readonly interruptions: number
  /** Number of who writes its log: each time that it is taken up, it gets the next one, from 1. 0 before. */
  readonly logWriter: number
  readonly cancelRequested: boolean
  readonly work: WorkingCopy
  /** Undefined where the staging began with the package's own data. */
  readonly source: StagingSource | undefined
  /** Its source is still to be fetched: it is not admitted before. It stays true if that never comes. */
  readonly awaitsSource: boolean
  /** The package as the first stager sees it. Undefined for stagings of a stagerd that did not record it. */
  readonly input: WorkingCopy | undefined
  /** Whether an earlier result may answer it. */
  readonly reuse: boolean
  /** UUID of the staging whose result has answered it. */
  readonly reused: string | undefined
  /** Its first stagers do not run: what they would make is the output of an earlier staging. Not there for none. */
  readonly takenOver?: { readonly staging: string; readonly stagers: number } | undefined
  /** How long the container of a failed launch is kept, in milliseconds. */
  readonly keepFailedMs: number | undefined
  /** Names of the secrets that it was given. Their values are not kept longer than until its end. */
  readonly secrets: readonly string[]
  /** The term of a node that runs it, or has ended it. Not there for one that no node owns: it is queued, or goes on at the next node with a free slot. */
  readonly term?: number
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

export function openLaunchOf({ launches }: Pick<Staging, 'launches'>): Launch | undefined {
  return launches.find(({ state }) => isOpen(state))
}

/** How often a stager may ask to be relaunched within one staging. */
export const RELAUNCH_LIMIT = 10

/** How often a launch is told that a relaunch is not needed: each time, its metadata is kept with the result. */
export const NEEDLESS_RELAUNCH_LIMIT = 3

/** How many launches may be lost to infrastructure faults before the staging fails with `infrastructure`. */
export const INTERRUPTION_LIMIT = 5
