import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Deferred } from '../../../base/deferred.js'
import type { LogLine } from '../../../daemon/log/log-file.js'
import { LogStore } from '../../../daemon/log/log-store.js'
import { LogWriter } from '../../../daemon/log/log-writer.js'
import { openLaunchOf } from '../../../daemon/model/staging.js'
import { leaseOf } from '../../../daemon/staging/held-term.js'
import { InProcessWakeups } from '../../../daemon/store/wakeups.js'
import { nodeIdentity } from '../../support/fleet/node-ledger.js'
import { StagingHarness } from '../../support/staging-harness.js'
import { until } from '../../support/until.js'
import { done } from './stager-requests.js'

const LEASE = leaseOf(30_000)

let harness: StagingHarness
beforeEach(async () => {
  harness = await StagingHarness.open(2, 2, undefined, LEASE)
  await harness.addPackage('app', { state: 'uploaded' })
})
afterEach(async () => {
  await harness.close()
  expect([...harness.isolation.left], 'launches that were never released').toEqual([])
})

/** As if another node had found the leases over. */
async function endTerms(): Promise<void> {
  const { nodes } = harness.parts.store
  for (const node of await nodes.list())
    if (node.term !== undefined) await nodes.closeTerm(await nodes.openTerm(node, LEASE.leaseMs))
}

describe('a node whose term another one has ended', () => {
  it('records no verdict, stops what it runs, and goes on with it in its next term', async () => {
    let launches = 0
    let answer: number | undefined
    await harness.addPipeline('pipe', {
      any: async (stager) => {
        if (++launches > 1) {
          await done(stager)
          return
        }
        await endTerms()
        // Its listener may be closed before the answer is sent.
        answer = await fetch(`${stager.url}/done`, { method: 'POST' }).then(
          ({ status }) => status,
          () => undefined,
        )
      },
    })
    harness.start()
    const { uuid } = await harness.submit('app', 'pipe')
    await until('it has ended', async () => (await harness.staging(uuid)).state === 'succeeded')
    expect(answer, 'no verdict was acknowledged').not.toBe(200)
    const { launches: recorded, interruptions, term } = await harness.staging(uuid)
    expect(recorded.map(({ state }) => state)).toEqual(['aborted', 'done'])
    expect({ launches, interruptions }).toEqual({ launches: 2, interruptions: 1 })
    expect(term).toBe((await harness.parts.store.nodes.list())[0]?.term)
    expect(await harness.log(uuid)).toContain(
      'This node has lost its lease; staging continues at the next node that has a free slot.',
    )
  })

  it('leaves alone what the other node has taken', async () => {
    const { nodes } = harness.parts.store
    let taken = 0
    await harness.addPipeline('pipe', {
      any: async ({ url }) => {
        await endTerms()
        const term = await nodes.openTerm(nodeIdentity({ name: 'other' }), LEASE.leaseMs)
        await harness.parts.store.nodeLedger(term).admitNext()
        taken = term.number
        await fetch(`${url}/done`, { method: 'POST' }).catch(() => undefined)
      },
    })
    harness.start()
    const { uuid } = await harness.submit('app', 'pipe')
    await until('the node has another term', async () =>
      (await nodes.list()).some(({ name, term = 0 }) => name !== 'other' && taken > 0 && term > taken),
    )
    await until('it admits stagings', () => harness.service.ready)
    const staging = await harness.staging(uuid)
    expect(staging).toMatchObject({ state: 'running', term: taken })
    expect(openLaunchOf(staging), 'its launch is left to the other node').toBeDefined()
  })
})

it('a staging that is cancelled when its term has ended is ended where it still runs, and has one log', async () => {
  let ended = false
  await harness.addPipeline('pipe', {
    any: ({ signal }) =>
      new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          ended = true
          // Whoever writes 'Staging was cancelled.' must wait for the lines that are still to come.
          setTimeout(resolve, 200)
        })
      }),
  })
  harness.start()
  const { uuid } = await harness.submit('app', 'pipe')
  await until('it runs', async () => (await harness.staging(uuid)).launches[0]?.state === 'running')
  await endTerms()
  expect(await harness.service.cancel(uuid)).toMatchObject({ state: 'cancelled' })
  // Sooner than its node finds out by itself.
  await expect.poll(() => ended, { timeout: LEASE.retryMs }).toBe(true)
  await until('nothing of it is at work', () => harness.service.atWork === 0)
  const logged = async () => {
    const text = await readFile(join(harness.directory, 'logs', `${uuid}.ndjson`), 'utf8')
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as LogLine)
  }
  // Between the two writers, the log is closed for a moment.
  await until('its end is logged', async () => (await logged()).at(-1)?.text === 'Staging was cancelled.')
  const lines = await logged()
  expect(
    lines.map(({ seq }) => seq),
    'each number once',
  ).toEqual(lines.map((_, index) => index + 1))
})

it('the line of a cancellation waits for the writer of a term that has ended, and the stop of the daemon for the line', async () => {
  const last = new Deferred<void>()
  await harness.addPipeline('pipe', { any: () => last.promise })
  harness.start()
  const { uuid } = await harness.submit('app', 'pipe')
  await until('it runs', async () => (await harness.staging(uuid)).launches[0]?.state === 'running')
  await endTerms()
  const { logs } = harness.parts
  const opened = new Deferred<void>()
  const write = vi.spyOn(LogStore.prototype, 'write').mockImplementationOnce(async (...of) => {
    const writer = await logs.write(...of)
    await opened.promise
    return writer
  })
  onTestFinished(() => write.mockRestore())
  await harness.service.cancel(uuid)
  const stopped = harness.service.stop().then(() => 'stopped')
  last.resolve()
  await until('nothing is at work', () => harness.service.atWork === 0)
  expect(logs.isTaken(uuid), 'nobody may delete the log').toBe(true)
  expect(await Promise.race([stopped, delay(100, 'waits')])).toBe('waits')
  opened.resolve()
  await stopped
  expect(await readFile(join(harness.directory, 'logs', `${uuid}.ndjson`), 'utf8')).toContain('Staging was cancelled.')
})

it('a cancellation is answered while a term that has ended opens the log', async () => {
  const opened = new Deferred<void>()
  const open = LogWriter.open.bind(LogWriter)
  const opening = vi.spyOn(LogWriter, 'open').mockImplementationOnce(async (...of) => {
    await opened.promise
    return await open(...of)
  })
  onTestFinished(() => opening.mockRestore())
  await harness.addPipeline('pipe', { any: done })
  harness.start()
  const { uuid } = await harness.submit('app', 'pipe')
  await until('its log is opened', () => opening.mock.calls.length > 0)
  await endTerms()
  const cancelled = harness.service.cancel(uuid)
  expect(await Promise.race([cancelled, delay(2_000)])).toMatchObject({ state: 'cancelled' })
  opened.resolve()
  expect((await harness.log(uuid)).at(-1)).toBe('Staging was cancelled.')
})

it('a node without a term tells the others what is submitted to it', async () => {
  await harness.addPipeline('pipe', { any: done })
  const told = vi.spyOn(InProcessWakeups.prototype, 'notify')
  await harness.submit('app', 'pipe')
  expect(told).toHaveBeenCalledWith('queued', '')
  told.mockRestore()
})

it('a node whose state directory was copied leaves its term to the copy until that has ended', async () => {
  const { nodes } = harness.parts.store
  let launches = 0
  await harness.addPipeline('pipe', {
    any: async ({ url }) => {
      launches += 1
      if (launches === 1) await nodes.openTerm((await nodes.list())[0]!, LEASE.leaseMs)
      await fetch(`${url}/done`, { method: 'POST' }).catch(() => undefined)
    },
  })
  harness.start()
  await until('it has its term', () => harness.service.ready)
  const opened = vi.spyOn(nodes, 'openTerm')
  const { uuid } = await harness.submit('app', 'pipe')
  const refusals = () => opened.mock.settledResults.filter(({ type }) => type === 'rejected').length
  await until('it has tried to take it back', () => refusals() > 1)
  expect(harness.service.ready).toBe(false)
  const [copy] = await nodes.list()
  expect(opened.mock.settledResults[0]?.value, 'the copy has its term').toMatchObject({ number: copy?.term })
  await nodes.closeTerm({ number: copy!.term!, node: copy!.uuid, labels: [] })
  expect(await harness.ended(uuid)).toMatchObject({ state: 'succeeded', interruptions: 1 })
})

it('a staging of another node is cancelled there, and one that no node owns at once', async () => {
  await harness.addPipeline('pipe', { any: done })
  const { uuid } = await harness.submit('app', 'pipe')
  const { nodes, ledger } = harness.parts.store
  const term = await nodes.openTerm(nodeIdentity(), 60_000)
  await harness.parts.store.nodeLedger(term).admitNext()
  expect(await harness.service.cancel(uuid)).toMatchObject({ state: 'running', cancelRequested: true })
  expect((await nodes.renewTerm(term, 60_000)).cancelled).toEqual([uuid])
  await nodes.closeTerm(term)
  expect(await harness.service.cancel(uuid)).toMatchObject({ state: 'cancelled' })
  expect((await ledger.get(uuid)).state).toBe('cancelled')
  expect(await harness.log(uuid)).toEqual(['Staging was cancelled.'])
})
