import type {
  Failure,
  Launch,
  StagerSnapshot,
  Staging,
  StagingSource,
  StagingState,
  WorkingCopy,
} from '../model/staging.js'

/**
 * Where stagings are kept, and their queue. The staging service decides; the ledger only makes its decisions last.
 *
 * Every method is one transaction whose `WHERE` names the state that it expects; when the state is another, nothing is
 * written and it throws `Conflict` (`state-changed`). What it has acknowledged survives a power cut.
 *
 *   queued ──admit──> running ──advance──> running … ──succeed──> succeeded
 *     │                  ├──relaunch──> running          (same step, next launch)
 *     │                  ├──abortLaunch──> running       (same step; nothing of the launch counts)
 *     │                  ├──fail──> failed
 *     └──cancel──────────┴──cancel──> cancelled
 */
export interface StagingLedger {
  /**
   * Queue a staging; the package goes from `uploaded`, `failed` or `ready` to `staging` with it.
   * Throws `Conflict` (`package-busy`) when the package is being staged, `package-empty` when it has no data.
   */
  submit(request: SubmitStaging): Promise<Staging>
  /** The oldest queued staging becomes `running`, and is returned; undefined when none waits. */
  admitNext(): Promise<Staging | undefined>
  /** Running stagings in order of admission: after a crash, the interrupted ones. */
  running(): Promise<readonly Staging[]>
  /** Throws `NotFound` (`staging-not-found`). */
  get(uuid: string): Promise<Staging>
  /** Newest first. */
  list(filter: {
    readonly state?: StagingState
    readonly packageUuid?: string
    readonly limit?: number
  }): Promise<readonly Staging[]>

  /** The intent: recorded before any resource of the launch is made. */
  beginLaunch(
    staging: string,
    launch: { readonly uuid: string; readonly stagerFqn: string; readonly step: number },
  ): Promise<Launch>
  launchRunning(launch: string): Promise<void>

  /** Verdict `done` of a stager that is not the last: the work so far is kept, the next stager is up. Resets relaunches and interruptions. */
  advance(launch: string, work: WorkingCopy): Promise<Staging>
  /** Verdict `done` of the last stager: the package gets the work, and is `ready`. */
  succeed(launch: string, work: WorkingCopy): Promise<Staging>
  /** Verdict `relaunch`: the work so far is kept, the same stager is up again. Resets interruptions. */
  relaunch(launch: string, work: WorkingCopy): Promise<Staging>
  /** Any failure: the package keeps its data from before the staging, and is `failed`, or `ready` again if it was. `launch` is undefined when none could be begun. */
  fail(staging: string, launch: string | undefined, failure: Failure): Promise<Staging>
  /** The launch says nothing of the stager: `aborted`; the staging stays at its step, with one interruption more. */
  abortLaunch(launch: string): Promise<Staging>
  /** Once the container has ended, after its verdict. */
  recordExit(launch: string, exitCode: number): Promise<void>

  /**
   * Queued: `cancelled` at once. Running: `cancelRequested`, and the staging is returned still running.
   * Throws `Conflict` (`staging-ended`) when it has ended already.
   */
  requestCancel(staging: string): Promise<Staging>
  /** A running staging whose cancellation was asked for is `cancelled`, an open launch `aborted`; the package goes back to the state before. */
  cancel(staging: string): Promise<Staging>
}

export interface SubmitStaging {
  readonly packageUuid: string
  readonly pipelineFqn: string
  /** Never empty. */
  readonly stagers: readonly StagerSnapshot[]
  /** Instead of the package's own data. */
  readonly source?: StagingSource | undefined
}
