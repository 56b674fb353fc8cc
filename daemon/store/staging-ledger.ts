import type { Result, TakenOver } from '../model/result.js'
import type {
  Failure,
  Launch,
  StagerSnapshot,
  Staging,
  StagingSource,
  StagingState,
  WorkingCopy,
} from '../model/staging.js'
import type { Receiver } from '../model/webhook.js'

/**
 * The records of stagings, and their queue. The staging service makes the decisions, and the ledger records them.
 *
 * Every method is one transaction, which is durable when the method resolves. It names the state that it expects; in
 * another state it writes nothing and throws `Conflict` (`state-changed`).
 *
 *   queued ──admit──> running ──advance──> running … ──succeed──> succeeded
 *     │                  ├──relaunch──> running          (same step, next launch)
 *     │                  ├──abortLaunch──> running       (same step; the work of the launch is lost)
 *     │                  ├──fail──> failed
 *     │                  ├──answer──> succeeded          (without a launch)
 *     │                  ├──takeOver──> running          (a later step; no launch has been)
 *     └──cancel──────────┴──cancel──> cancelled
 *
 * One that awaits its source is queued, and not admitted before `supply`, which keeps its place; `refuse` makes it failed.
 */
export interface StagingLedger {
  /**
   * Queues a staging. The package, which is `uploaded`, `failed` or `ready`, becomes `staging`.
   * Throws `Conflict` (`package-busy`) if the package is being staged, `package-empty` if it has no data.
   *
   * With an answer, it is admitted and has succeeded by the same transaction, which throws what `answer` throws.
   */
  submit(request: SubmitStaging, answerOf?: AnswerOf): Promise<Staging>
  /** The source of a queued staging that awaits it. The package is taken as it is now. */
  supply(staging: string, source: StagingSource): Promise<Staging>
  /** A queued staging that awaits its source will not get it: it becomes `failed`, and the package what it was before. */
  refuse(staging: string, failure: Failure): Promise<Staging>
  /** Makes the oldest queued staging that has its source `running`, and returns it; undefined if there is none. */
  admitNext(): Promise<Staging | undefined>
  /** Running stagings in order of admission. At the start of the daemon these are the interrupted ones. */
  running(): Promise<readonly Staging[]>
  /** Throws `NotFound` (`staging-not-found`). */
  get(uuid: string): Promise<Staging>
  /** Newest first. */
  list(filter: StagingFilter): Promise<readonly Staging[]>

  /** Records the intent, before any resource of the launch is created. */
  beginLaunch(
    staging: string,
    launch: {
      readonly uuid: string
      readonly stagerFqn: string
      readonly step: number
      /** Digest of all that it is given. */
      readonly given?: string
    },
  ): Promise<Launch>
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
  /** The results of the staged package, newest first. */
  results(staging: string): Promise<readonly Result[]>
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
  /** To be called when the container of a launch with a verdict has ended. */
  recordExit(launch: string, exitCode: number): Promise<void>

  /**
   * A queued staging becomes `cancelled`. A running one stays running, with `cancelRequested`.
   * Throws `Conflict` (`staging-ended`) if it has ended.
   */
  requestCancel(staging: string): Promise<Staging>
  /** A running staging with `cancelRequested` becomes `cancelled`, its open launch `aborted`, and the package returns to its state from before. */
  cancel(staging: string): Promise<Staging>
}

/**
 * Which of the results of its package is the outcome of a staging that is being submitted; undefined if none is. It runs
 * inside of the transaction, so it must return at once. The transaction can still fail, and may be run again then: what it
 * does must be undone by who submits, or do no harm.
 */
export type AnswerOf = (staging: Staging, results: readonly Result[]) => Result | undefined

export interface StagingFilter {
  /** Only stagings of packages in one of these namespaces, or below it. */
  readonly namespaces?: readonly string[]
  readonly state?: StagingState
  readonly packageUuid?: string
  /** The name that the pipeline had when the staging was submitted. */
  readonly pipelineFqn?: string
  /** Only stagings that were submitted at this time or later. */
  readonly since?: Date
  readonly limit?: number
}

export interface SubmitStaging {
  /** Default: a new one. */
  readonly uuid?: string | undefined
  /** Its source comes later, by `supply`. */
  readonly awaitsSource?: boolean | undefined
  readonly packageUuid: string
  readonly pipelineFqn: string
  /** Never empty. */
  readonly stagers: readonly StagerSnapshot[]
  /** Replaces the package's own data as the input. */
  readonly source?: StagingSource | undefined
  /** Whether an earlier result may answer it; default: true. */
  readonly reuse?: boolean | undefined
  /** How long the container of a failed launch is kept, in milliseconds. Default: not at all. */
  readonly keepFailedMs?: number | undefined
  /** Deleted by the transaction that ends the staging: see `SecretRepository`. */
  readonly secrets?: SealedSecrets | undefined
  /** Who is told of its end, besides the webhooks of namespaces: see `WebhookRepository`. */
  readonly notify?: readonly Receiver[] | undefined
}

export interface SealedSecrets {
  readonly names: readonly string[]
  readonly sealed: Uint8Array
}
