import type { TakenOver } from '../model/result.js'
import type { Failure, Launch, Staging, WorkingCopy } from '../model/staging.js'
import type { StagingLedger } from './staging-ledger.js'

/**
 * The ledger in the hands of a node, for one term of it.
 *
 *   queued ──admitNext──> running ──advance──> running … ──succeed──> succeeded
 *                            ├──relaunch──> running          (same step, next launch)
 *                            ├──abortLaunch──> running       (same step; the work of the launch is lost)
 *                            ├──takeUpAgain──> running       (the same, for a launch of an earlier attempt)
 *                            ├──fail──> failed
 *                            ├──answer──> succeeded          (without a launch)
 *                            ├──takeOver──> running          (a later step; no launch has been)
 *                            ├──cancel──> cancelled
 *                            └──end of the term──> running   (without an owner) ──admitNext──> running
 *
 * Each transition throws `Conflict` (`lease-lost`) and writes nothing unless the term is open and owns the staging: that is
 * read in the transaction that writes. So once another node has ended the term, no verdict of this one is recorded.
 */
export interface NodeLedger extends StagingLedger {
  /**
   * Makes a staging this term's, and returns it: the oldest running one that has no owner, or else the oldest queued one that has its source,
   * of those whose stagers need no label that the node lacks. What is queued in a realm in which as many run as a policy allows stays
   * there; those of other realms come before it. Throws `Fault` (`policy-unreadable`). Undefined if there is none. One that had no owner may have an
   * open launch, of which nothing runs any more. Each time, its log gets the next writer.
   */
  admitNext(): Promise<Staging | undefined>

  /** Records the intent, before any resource of the launch is created. */
  beginLaunch(staging: string, launch: NewLaunch): Promise<Launch>
  launchRunning(launch: string): Promise<void>

  /**
   * Verdict `done` of a stager that is not the last: saves the work and moves to the next stager. Resets relaunches and
   * interruptions. The data of the work are kept as an output of the package, if a later staging could use them.
   */
  advance(launch: string, work: WorkingCopy): Promise<Staging>
  /**
   * Verdict `done` of the last stager: the package takes over the work, and is `ready`. That is its newest result.
   * Throws `Refused` (`package-quota`), as `PackageRepository` does; the launch is still open then.
   *
   * @param again see `Making`
   */
  succeed(launch: string, work: WorkingCopy, again?: string): Promise<Staging>
  /**
   * A running staging without an open launch gets the result with this number of its package: it succeeds with it, and is
   * `reused`. Throws what `succeed` throws, and `Conflict` (`state-changed`) if the result is not kept any more.
   */
  answer(staging: string, result: number): Promise<Staging>
  /** A running staging that has had no launch goes on after those of an earlier one. There must be a stager after them. */
  takeOver(staging: string, from: TakenOver): Promise<Staging>
  /** Verdict `relaunch`: saves the work and stays at the same stager. Resets interruptions. */
  relaunch(launch: string, work: WorkingCopy): Promise<Staging>
  /** Any failure. The package keeps the data from before the staging, and is `failed`, or `ready` if it was before. `launch` is undefined if none is open. */
  fail(staging: string, launch: string | undefined, failure: Failure): Promise<Staging>
  /** For a failed staging, whose reason is looked for when its program has ended. Throws `Conflict` for any other. */
  replaceHint(staging: string, hint: string): Promise<Staging>
  /** The launch was lost through no fault of the stager. The staging stays at its step, with one more interruption. */
  abortLaunch(launch: string): Promise<Staging>
  /**
   * Who goes on with a running staging begins anew: without the open launch that an earlier attempt may have left, and with a number of
   * its own for the log. That is no interruption; the end of a term is one. A staging that has ended stays as it is.
   */
  takeUpAgain(staging: string): Promise<Staging>
  /** To be called when the container of a launch with a verdict has ended. */
  recordExit(launch: string, exitCode: number): Promise<void>
  /** A running staging with `cancelRequested` becomes `cancelled`, its open launch `aborted`, and the package returns to its state from before. */
  cancel(staging: string): Promise<Staging>
}

export interface NewLaunch {
  readonly uuid: string
  readonly stagerFqn: string
  readonly step: number
  /** Digest of all that it is given. */
  readonly given?: string
}
