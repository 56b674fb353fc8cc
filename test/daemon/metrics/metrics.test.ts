import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Unavailable } from '../../../base/errors.js'
import { measureNode } from '../../../daemon/metrics/node-metrics.js'
import { measureProcess } from '../../../daemon/metrics/process-metrics.js'
import { StagingMetrics } from '../../../daemon/metrics/staging-metrics.js'
import { measureStorage } from '../../../daemon/metrics/storage-metrics.js'
import { shippedPipelines } from '../../../daemon/bootstrap/shipped-pipelines.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import type { StagingLedger } from '../../../daemon/store/staging-ledger.js'
import { installDirectory } from '../../../base/installation.js'
import { nodeIdentity } from '../../support/fleet/node-ledger.js'
import { ledgerSamples } from './ledger-samples.js'

let registry: Registry
beforeEach(() => {
  registry = new Registry()
})

/** The value of one time series; undefined if there is none. */
async function valueOf(series: string): Promise<number | undefined> {
  const line = (await registry.metrics()).split('\n').find((one) => one.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

describe('metrics of stagings', () => {
  let ledger: StagingLedger
  let samples: ReturnType<typeof ledgerSamples>
  let metrics: StagingMetrics
  const queue = { limit: 3, draining: false }
  const node = nodeIdentity()
  let store: SqliteStore
  beforeEach(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'stagerd-test-'))
    store = SqliteStore.open(join(directory, 'stagerd.db'))
    onTestFinished(async () => {
      store.close()
      await rm(directory, { recursive: true })
    })
    ;({ ledger } = store)
    const shipped = await shippedPipelines(installDirectory())
    metrics = new StagingMetrics({ registry, ledger, node: node.uuid, shipped, queue })
    samples = ledgerSamples(store, (staging) => metrics.ended(staging))
  })

  it('count every way in which a staging ends, once, by shipped pipeline', async () => {
    await samples.fail('stagpipe::/apcera::nodejs', 'timeout')
    await samples.fail('stagpipe::/acme::private', 'stager-failed')
    await samples.fail('stagpipe::/acme::nodejs', 'stager-failed')
    await samples.cancelQueued('stagpipe::/apcera::nodejs')
    await samples.cancelRunning('stagpipe::/apcera::go')
    await samples.succeed('stagpipe::/apcera::nodejs')
    const ended = (state: string, cause: string, pipeline: string) =>
      valueOf(`stagerd_stagings_ended_total{state="${state}",cause="${cause}",pipeline="${pipeline}"}`)
    expect(await ended('failed', 'timeout', 'nodejs')).toBe(1)
    expect(await ended('failed', 'stager-failed', 'other')).toBe(2)
    expect(await ended('cancelled', 'none', 'nodejs')).toBe(1)
    expect(await ended('cancelled', 'none', 'go')).toBe(1)
    expect(await ended('succeeded', 'none', 'nodejs')).toBe(1)
    expect(await valueOf('stagerd_staging_duration_seconds_count{pipeline="nodejs"}')).toBe(1)
    // All but the one that was never admitted.
    expect(await valueOf('stagerd_staging_wait_seconds_count')).toBe(5)
    expect(await registry.metrics()).not.toContain('private')
  })

  it('begin at zero, so that the first staging that ends is an increase', async () => {
    const infrastructure = 'stagerd_stagings_ended_total{state="failed",cause="infrastructure",pipeline="other"}'
    for (const series of [
      infrastructure,
      'stagerd_stagings_reused_total{pipeline="go"}',
      'stagerd_staging_duration_seconds_count{pipeline="go"}',
    ])
      expect(await valueOf(series)).toBe(0)
    await samples.fail('stagpipe::/acme::private', 'infrastructure')
    expect(await valueOf(infrastructure)).toBe(1)
  })

  it('show the queue', async () => {
    expect(await valueOf('stagerd_oldest_queued_staging_seconds')).toBe(0)
    await samples.submit('stagpipe::/acme::private')
    expect(await valueOf('stagerd_stagings{state="queued"}')).toBe(1)
    expect(await valueOf('stagerd_stagings{state="running"}')).toBe(0)
    expect(await valueOf('stagerd_oldest_queued_staging_seconds')).toBeGreaterThanOrEqual(0)
    expect(await valueOf('stagerd_stagings_limit')).toBe(3)
    expect(await valueOf('stagerd_draining')).toBe(0)
  })

  it('show what this node runs, and what waits for any node', async () => {
    for (let n = 0; n < 4; n++) await samples.submit('stagpipe::/acme::private')
    const other = await store.nodes.openTerm(nodeIdentity(), 60_000)
    const own = store.nodeLedger(await store.nodes.openTerm(node, 60_000))
    for (const one of [own, store.nodeLedger(other)]) await one.admitNext()
    const states = ['queued', 'running', 'interrupted'].map((state) => `stagerd_stagings{state="${state}"}`)
    expect(await Promise.all(states.map(valueOf))).toEqual([2, 1, 0])
    await store.nodes.closeTerm(other)
    expect(await Promise.all(states.map(valueOf))).toEqual([2, 1, 1])
  })

  it('time the steps of launches', async () => {
    metrics.step({ staging: randomUUID(), launch: randomUUID(), step: 'layers', milliseconds: 30 })
    expect(await valueOf('stagerd_launch_step_duration_seconds_bucket{le="0.02",step="layers"}')).toBe(0)
    expect(await valueOf('stagerd_launch_step_duration_seconds_bucket{le="0.05",step="layers"}')).toBe(1)
  })
})

it('metrics of the node say whether it is ready, whether the Engine answers, and what the disk has left', async () => {
  let down = false
  const answer = () => (down ? Promise.reject(new Unavailable('engine-down', 'It is down.')) : Promise.resolve())
  measureNode({ registry, isolation: { ping: answer }, readiness: { assertReady: answer }, stateDirectory: tmpdir() })
  expect(await Promise.all(['stagerd_ready', 'stagerd_engine_up'].map(valueOf))).toEqual([1, 1])
  down = true
  expect(await Promise.all(['stagerd_ready', 'stagerd_engine_up'].map(valueOf))).toEqual([0, 0])
  const [size, free] = await Promise.all(['size', 'avail'].map((one) => valueOf(`stagerd_filesystem_${one}_bytes`)))
  expect(size).toBeGreaterThan(free!)
})

it('metrics of what is kept count it once in five minutes, and blobs also without the Engine', async () => {
  let [now, down, blobs] = [0, false, 1]
  const one = { kind: 'layer', id: 'x', bytes: 10, usedAt: new Date(), inUse: false } as const
  measureStorage({
    registry,
    now: () => now,
    blobs: {
      list: async function* () {
        for (let n = 0; n < blobs; n++) yield await Promise.resolve({ sha256: '', length: 5, modifiedAt: new Date() })
      },
    },
    references: { resources: () => Promise.resolve([]) },
    isolation: { caches: () => (down ? Promise.reject(new Error('down')) : Promise.resolve([one, one])) },
  })
  const bytes = (kind: string) => valueOf(`stagerd_held_bytes{kind="${kind}"}`)
  expect([await bytes('blob'), await bytes('layer')]).toEqual([5, 20])
  ;[blobs, down] = [3, true]
  expect(await bytes('blob')).toBe(5)
  now = 5 * 60_000 + 1
  expect([await bytes('blob'), await bytes('layer')]).toEqual([15, undefined])
})

it('metrics of the process have the names of every Prometheus client', async () => {
  measureProcess(registry, '1.2.3')
  expect(await valueOf('stagerd_build_info{version="1.2.3"}')).toBe(1)
  expect(await valueOf('process_open_fds')).toBeGreaterThan(3)
  expect(await valueOf('process_max_fds')).toBeGreaterThan(100)
  expect(await valueOf('process_resident_memory_bytes')).toBeGreaterThan(1e7)
  expect(await valueOf('process_cpu_seconds_total')).toBeGreaterThan(0)
  expect(await valueOf('stagerd_event_loop_delay_max_seconds')).toBeGreaterThanOrEqual(0)
})
