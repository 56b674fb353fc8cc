import { Refused } from '../../base/errors.js'
import { RELAUNCH_LIMIT, type Staging, type Verdict, type WorkingCopy } from '../model/staging.js'
import type { NodeLedger } from '../store/node-ledger.js'
import { failureOfError, failureOfRelaunches, failureOfVerdict } from './failures.js'
import type { Reuse } from './reuse.js'
import { currentStager, stagerFqn } from './plan.js'

export interface RecordedVerdict {
  /** After the transaction. */
  readonly staging: Staging
  /** Why `done` has failed the staging: the package would be over its quota. */
  readonly refusal?: Refused
}

interface OpenLaunch {
  readonly staging: Staging
  readonly launch: string
}

/** Records the verdict of the open launch of `staging`. */
export async function recordVerdict(
  { ledger, reuse }: { readonly ledger: NodeLedger; readonly reuse: Pick<Reuse, 'again'> },
  { staging, launch }: OpenLaunch,
  verdict: Verdict,
  work: WorkingCopy,
): Promise<RecordedVerdict> {
  const { uuid, step, stagers, relaunches } = staging
  const stager = stagerFqn(currentStager(staging))
  switch (verdict) {
    case 'done':
      if (step + 1 < stagers.length) return { staging: await ledger.advance(launch, work) }
      try {
        return { staging: await ledger.succeed(launch, work, await reuse.again(staging, work)) }
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        return { staging: await ledger.fail(uuid, launch, failureOfError(stager, error)), refusal: error }
      }
    case 'failed':
      return { staging: await ledger.fail(uuid, launch, failureOfVerdict(stager)) }
    case 'relaunch':
      return {
        staging: await (relaunches < RELAUNCH_LIMIT
          ? ledger.relaunch(launch, work)
          : ledger.fail(uuid, launch, failureOfRelaunches(stager))),
      }
  }
}
