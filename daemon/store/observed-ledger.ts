import { isTerminal, type Staging } from '../model/staging.js'
import type { StagingLedger } from './staging-ledger.js'

/** A ledger that tells of each staging that has ended, when that is durable. `ended` must not throw. */
export function observeEnds(ledger: StagingLedger, ended: (staging: Staging) => void): StagingLedger {
  const told = async (change: Promise<Staging>): Promise<Staging> => {
    const staging = await change
    if (isTerminal(staging.state)) ended(staging)
    return staging
  }
  return {
    submit: (request, answerOf) => told(ledger.submit(request, answerOf)),
    supply: (staging, source) => ledger.supply(staging, source),
    refuse: (staging, failure) => told(ledger.refuse(staging, failure)),
    admitNext: () => ledger.admitNext(),
    running: () => ledger.running(),
    get: (uuid) => ledger.get(uuid),
    list: (filter) => ledger.list(filter),
    beginLaunch: (staging, launch) => ledger.beginLaunch(staging, launch),
    launchRunning: (launch) => ledger.launchRunning(launch),
    advance: (launch, work) => ledger.advance(launch, work),
    succeed: (launch, work, again) => told(ledger.succeed(launch, work, again)),
    results: (staging) => ledger.results(staging),
    answer: (staging, result) => told(ledger.answer(staging, result)),
    takeOver: (staging, from) => ledger.takeOver(staging, from),
    relaunch: (launch, work) => ledger.relaunch(launch, work),
    fail: (staging, launch, failure) => told(ledger.fail(staging, launch, failure)),
    // It has ended before.
    replaceHint: (staging, hint) => ledger.replaceHint(staging, hint),
    abortLaunch: (launch) => ledger.abortLaunch(launch),
    recordExit: (launch, exitCode) => ledger.recordExit(launch, exitCode),
    requestCancel: (staging) => told(ledger.requestCancel(staging)),
    cancel: (staging) => told(ledger.cancel(staging)),
  }
}
