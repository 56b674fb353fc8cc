import { isTerminal, type Staging } from '../model/staging.js'
import type { NodeLedger } from './node-ledger.js'
import type { StagingLedger } from './staging-ledger.js'

/** Tells of each staging that has ended, when that is durable. Must not throw. */
export type Ended = (staging: Staging) => void

/** A ledger that tells of the ends that it has recorded. */
export function observeEnds(ledger: StagingLedger, ended: Ended): StagingLedger {
  const told = telling(ended)
  return {
    submit: (request, answerOf) => told(ledger.submit(request, answerOf)),
    supply: (staging, source) => ledger.supply(staging, source),
    refuse: (staging, failure) => told(ledger.refuse(staging, failure)),
    get: (uuid) => ledger.get(uuid),
    list: (filter) => ledger.list(filter),
    counts: (node) => ledger.counts(node),
    waiting: (uuid, own) => ledger.waiting(uuid, own),
    results: (staging) => ledger.results(staging),
    requestCancel: (staging) => told(ledger.requestCancel(staging)),
  }
}

/** The same for that of a node. */
export function observeEndsOfNode(ledger: NodeLedger, ended: Ended): NodeLedger {
  const told = telling(ended)
  return {
    ...observeEnds(ledger, ended),
    admitNext: () => ledger.admitNext(),
    beginLaunch: (staging, launch) => ledger.beginLaunch(staging, launch),
    launchRunning: (launch) => ledger.launchRunning(launch),
    advance: (launch, work) => ledger.advance(launch, work),
    succeed: (launch, work, again) => told(ledger.succeed(launch, work, again)),
    answer: (staging, result) => told(ledger.answer(staging, result)),
    takeOver: (staging, from) => ledger.takeOver(staging, from),
    relaunch: (launch, work) => ledger.relaunch(launch, work),
    fail: (staging, launch, failure) => told(ledger.fail(staging, launch, failure)),
    // It has ended before.
    replaceHint: (staging, hint) => ledger.replaceHint(staging, hint),
    abortLaunch: (launch) => ledger.abortLaunch(launch),
    takeUpAgain: (staging) => ledger.takeUpAgain(staging),
    recordExit: (launch, exitCode) => ledger.recordExit(launch, exitCode),
    cancel: (staging) => told(ledger.cancel(staging)),
  }
}

function telling(ended: Ended): (change: Promise<Staging>) => Promise<Staging> {
  return async (change) => {
    const staging = await change
    if (isTerminal(staging.state)) ended(staging)
    return staging
  }
}
