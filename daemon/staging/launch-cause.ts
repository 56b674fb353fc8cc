import type { Ending, ForcedEnding, RunningContainer } from '../../isolation/isolation.js'
import type { Staging } from '../model/staging.js'
import { failureOfDataLimit, whyEnded } from './failures.js'
import type { RecordedVerdict } from './record-verdict.js'
import { launchEnded } from './working-copy-handler.js'

/** How long a stager may continue after its verdict before it is stopped, in milliseconds: time for its last output. */
const GRACE_AFTER_VERDICT_MS = 5_000

/** What ended a launch. */
export type LaunchCause =
  /** `recorded` resolves after the transaction of the verdict, or with what ended the container before it. */
  | { readonly kind: 'verdict'; readonly recorded: Promise<RecordedVerdict | Earlier> }
  /** The container has ended without a verdict, or is being ended for `cause`. */
  | { readonly kind: 'ended'; readonly cause?: ForcedEnding }
  /** It has sent more data than it may have in the store. */
  | { readonly kind: 'data-limit'; readonly limitBytes: number }
  | { readonly kind: 'stopped' }

export interface Earlier {
  readonly earlier: ForcedEnding
}

/** Throws `Conflict` (`launch-over`), with the reason, if there is a cause. */
export function assertOpen(cause: LaunchCause | undefined): void {
  switch (cause?.kind) {
    case undefined:
      return
    case 'verdict':
      throw launchEnded()
    case 'stopped':
      throw launchEnded('it was stopped')
    case 'data-limit':
      throw launchEnded(failureOfDataLimit('', cause.limitBytes).message)
    case 'ended':
      throw launchEnded(cause.cause && whyEnded(cause.cause))
  }
}

/** The staging, if it goes on with another launch, which can prepare itself while this one ends. */
export async function goesOn(cause: LaunchCause): Promise<Staging | undefined> {
  if (cause.kind !== 'verdict') return undefined
  const recorded = await cause.recorded.catch(() => undefined)
  if (!recorded || 'earlier' in recorded || recorded.staging.state !== 'running') return undefined
  return recorded.staging
}

/** Ends the container. After a verdict the stager has a grace period to end by itself; then it is stopped. */
export async function endOf(
  running: RunningContainer,
  cause: LaunchCause,
  graceMs = GRACE_AFTER_VERDICT_MS,
): Promise<Ending> {
  if (cause.kind === 'stopped') running.stop()
  if (cause.kind === 'data-limit') running.halt()
  if (cause.kind !== 'verdict') return await running.ended
  // Until then nothing but an earlier cause may end it.
  const recorded = await Promise.race([running.ended, cause.recorded.catch(() => undefined)])
  const hasFailed = recorded !== undefined && 'staging' in recorded && recorded.staging.state === 'failed'
  const timer = setTimeout(() => (hasFailed ? running.halt() : running.stop()), graceMs)
  const ending = await running.ended
  clearTimeout(timer)
  return ending
}
