import type { Logger } from 'pino'
import type { Isolation } from '../../isolation/isolation.js'
import type { Coordinator } from '../coordinator/coordinator.js'
import type { LogWriter } from '../log/log-writer.js'
import type { Staging } from '../model/staging.js'
import type { Resolver } from '../resolver/resolver.js'
import type { Secrets } from '../secrets/secrets.js'
import type { NodeLedger } from '../store/node-ledger.js'
import type { EndedStep } from '../traces/staging-traces.js'
import type { Janitor } from './janitor.js'
import type { KeptLaunches } from './kept-launches.js'
import type { LaunchEnd } from './launch-outcome.js'
import type { LaunchesToCome } from './launches-to-come.js'
import type { LiveContainers } from './live-containers.js'
import type { PlanSettings } from './plan.js'
import type { PreparedLaunches } from './prepared-launches.js'
import type { Releases } from './releases.js'
import type { Reuse } from './reuse.js'
import type { StagingUploads } from './staging-uploads.js'
import type { WorkingCopyParts } from './working-copy-handler.js'

/** What all launches of a node share, and the ledger of the term that a launch belongs to. */
export interface LaunchParts {
  readonly isolation: Isolation
  readonly coordinator: Coordinator
  readonly ledger: NodeLedger
  readonly resolver: Resolver
  readonly workingCopy: WorkingCopyParts
  readonly plan: PlanSettings
  readonly reuse: Pick<Reuse, 'again'>
  readonly secrets: Pick<Secrets, 'ofLaunch'>
  readonly live: LiveContainers
  readonly prepared: Pick<PreparedLaunches, 'take' | 'clear'>
  readonly toCome: Pick<LaunchesToCome, 'launchBegan' | 'stagingEnded'>
  readonly releases: Releases
  readonly janitor: Pick<Janitor, 'trySweep'>
  readonly kept: Pick<KeptLaunches, 'keep'>
  readonly logger: Logger
  /** Called at the end of each step of a launch. Must not throw. */
  readonly stepEnded?: (step: EndedStep) => void
  /** For tests: how long a stager may continue after its verdict before it is stopped, in milliseconds. */
  readonly graceAfterVerdictMs?: number
}

export interface LaunchRequest {
  /** Of the term that owns the staging. */
  readonly ledger: NodeLedger
  readonly staging: Staging
  /** The end of the launch before it. Until that has finished, this one only prepares itself; until it is over, this one has no lines. */
  readonly before?: LaunchEnd | undefined
  readonly log: LogWriter
  /** Ends the launch without a verdict, because of a cancellation or the end of the daemon. */
  readonly stop: AbortSignal
  /** Of all launches of the staging. */
  readonly uploads: StagingUploads
}
