import type { Result } from '../model/result.js'
import type { Failure, StagerSnapshot, Staging, StagingSource, StagingState } from '../model/staging.js'
import type { OwnPlaces, Waiting } from '../model/waiting.js'
import type { Receiver } from '../model/webhook.js'

/**
 * The records of stagings, and their queue. The staging service makes the decisions, and the ledger records them.
 * Here is what anybody may do; only a node with a term goes further (`NodeLedger`).
 *
 * Every method is one transaction, which is durable when the method resolves. It names the state that it expects; in
 * another state it writes nothing and throws `Conflict` (`state-changed`).
 *
 *   queued ──admitNext──> running ──the node──> succeeded, failed, cancelled
 *     │                      └──requestCancel──> running (its node cancels it), or cancelled (if no node owns it)
 *     └──requestCancel──> cancelled
 *
 * One that awaits its source is queued, and not admitted before `supply`, which keeps its place; `refuse` makes it failed.
 */
export interface StagingLedger {
  /**
   * Queues a staging. The package, which is `uploaded`, `failed` or `ready`, becomes `staging`.
   * Throws `Conflict` (`package-busy`) if the package is being staged, `package-empty` if it has no data, and `BadInput`
   * (`too-many-labels`) if its stagers need more labels together than a node can have.
   *
   * With an answer, it is admitted and has succeeded by the same transaction, which throws what `answer` throws.
   */
  submit(request: SubmitStaging, answerOf?: AnswerOf): Promise<Staging>
  /** The source of a queued staging that awaits it. The package is taken as it is now. */
  supply(staging: string, source: StagingSource): Promise<Staging>
  /** A queued staging that awaits its source will not get it: it becomes `failed`, and the package what it was before. */
  refuse(staging: string, failure: Failure): Promise<Staging>
  /** Throws `NotFound` (`staging-not-found`). */
  get(uuid: string): Promise<Staging>
  /** Newest first. */
  list(filter: StagingFilter): Promise<readonly Staging[]>
  /**
   * What runs at a node, and what waits for any.
   *
   * @param node its UUID
   */
  counts(node: string): Promise<StagingCounts>
  /** Why a queued staging does not run. Undefined for one that is not queued. Throws `NotFound` (`staging-not-found`). */
  waiting(uuid: string, own?: OwnPlaces): Promise<Waiting | undefined>
  /** The results of the staged package, newest first. */
  results(staging: string): Promise<readonly Result[]>
  /**
   * A queued staging becomes `cancelled`, and so does a running one that no term owns. Another one stays running, with
   * `cancelRequested`. Throws `Conflict` (`staging-ended`) if it has ended.
   */
  requestCancel(staging: string): Promise<Staging>
}

/** Numbers of stagings that have not ended. All but `running` are those of the database, whichever node asks. */
export interface StagingCounts {
  /** Those that the open term of the node owns. */
  readonly running: number
  readonly queued: number
  /** Running ones that no node owns: the next one with a free slot goes on with them. */
  readonly interrupted: number
  /** When the oldest queued one was submitted. */
  readonly oldestQueuedAt: string | undefined
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
