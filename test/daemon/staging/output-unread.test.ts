import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import { leaseOf } from '../../../daemon/staging/held-term.js'
import { Launch } from '../../../daemon/staging/launch.js'
import type { StagerDraft } from '../../../daemon/store/repositories.js'
import type { FakeContext, FakeStager } from '../../support/fake-isolation.js'
import { LAUNCH_BYTES, StagingHarness } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { done, upload } from './stager-requests.js'

/** A node learns within two seconds that it has lost its lease. */
const LEASE = leaseOf(6_000)

let harness: StagingHarness
let read: Deferred<void>
beforeEach(async () => {
  read = new Deferred()
  harness = await StagingHarness.open(2, 2, undefined, LEASE)
  await harness.addPackage('app', { state: 'uploaded' })
})
afterEach(async () => {
  vi.restoreAllMocks()
  read.resolve()
  await harness.close()
  expect([...harness.isolation.left], 'launches that were never released').toEqual([])
})

/** No test waits for the end of its time. */
const limits = { memoryBytes: 1 << 28, cpus: 1, pids: 64, diskBytes: 1 << 20, timeoutMs: 120_000 }

/** Its last output has not been read when it has ended. */
const talks: FakeStager = async (context) => {
  harness.isolation.arrives = read.promise
  void context.print('last words')
  await done(context)
  harness.isolation.arrives = Promise.resolve()
}

/** Begins a staging whose second program runs while the output of the first one is not read. */
async function begin(second: FakeStager, own: Partial<StagerDraft['limits']> = {}): Promise<string> {
  await harness.addPipeline('pipe', { first: talks, second }, { limits: { ...limits, ...own } })
  harness.start()
  return (await harness.submit('app', 'pipe', { reuse: false })).uuid
}

const untilSecondRuns = (staging: string) =>
  until('it runs', async () => (await harness.staging(staging)).launches[1]?.state === 'running')

const ended = ({ signal }: FakeContext) =>
  new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve())
    if (signal.aborted) resolve()
  })

async function endTerm(): Promise<void> {
  const { nodes } = harness.parts.store
  for (const node of await nodes.list())
    if (node.term !== undefined) await nodes.closeTerm(await nodes.openTerm(node, LEASE.leaseMs))
}

/** What the first program has printed comes before all lines of the second. */
async function expectInOrder(staging: string): Promise<void> {
  const texts: string[] = []
  const { signal } = new AbortController()
  for await (const { text } of harness.parts.logs.follow(staging, { since: 0, follow: false, signal })) texts.push(text)
  const of = ['last words', "Launching instance of stager 'second'..."]
  expect(texts.filter((text) => of.includes(text)).slice(0, 2)).toEqual(of)
}

describe('a program is ended while the output of the last one is not read', () => {
  it.each<[what: string, end: (staging: string) => unknown]>([
    ['its staging is cancelled', (staging) => harness.service.cancel(staging)],
    ['the daemon stops', () => void harness.service.stop()],
    ['its node loses its lease', () => endTerm()],
  ])('when %s', async (_, end) => {
    let isEnded = false
    let launches = 0
    const staging = await begin(async (context) => {
      if (++launches > 1) {
        await done(context)
        return
      }
      await ended(context)
      isEnded = true
    })
    await untilSecondRuns(staging)
    await end(staging)
    await until('it is ended', () => isEnded)
    read.resolve()
    await until('nothing of it is at work', () => harness.service.atWork === 0)
    expect((await harness.staging(staging)).state).not.toBe('failed')
    await expectInOrder(staging)
  })

  it('when it sends more data than it may', async () => {
    let isEnded = false
    const staging = await begin(async (context) => {
      await upload(context.url, 'x'.repeat(LAUNCH_BYTES + 1)).catch(() => undefined)
      await ended(context)
      isEnded = true
    })
    await until('it is ended', () => isEnded)
    read.resolve()
    expect(await harness.ended(staging)).toMatchObject({ state: 'failed' })
    await expectInOrder(staging)
  })
})

describe('a verdict counts that was posted while the output of the last program was not read', () => {
  it.each<[what: string, hit: (context: FakeContext) => Promise<void>, limits: Partial<StagerDraft['limits']>]>([
    ['the time of its program is over', ended, { timeoutMs: 1_000 }],
    [
      'a child of its program hits the memory limit',
      async ({ allocateInChild }) => {
        await Promise.resolve()
        allocateInChild(limits.memoryBytes + 1)
      },
      {},
    ],
  ])('although %s before it was', async (_, hit, own) => {
    const settle = vi.spyOn(Launch.prototype, 'settle')
    const staging: string = await begin(async (context) => {
      await untilSecondRuns(staging)
      const verdict = fetch(`${context.url}/done`, { method: 'POST' }).catch(() => undefined)
      await until('it is posted', () => settle.mock.calls.length === 2)
      await setImmediate()
      await hit(context)
      read.resolve()
      await verdict
    }, own)
    expect(await harness.ended(staging)).toMatchObject({ state: 'succeeded' })
  })
})
