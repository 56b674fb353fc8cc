import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { installDirectory } from '../../base/installation.js'
import { measureRequests } from '../../daemon/api/request-metrics.js'
import { measureTasks } from '../../daemon/metrics/cloud-foundry-metrics.js'
import { measureNode } from '../../daemon/metrics/node-metrics.js'
import { measurePrepared } from '../../daemon/metrics/prepared-metrics.js'
import { measureProcess } from '../../daemon/metrics/process-metrics.js'
import { StagingMetrics } from '../../daemon/metrics/staging-metrics.js'
import { measureStorage } from '../../daemon/metrics/storage-metrics.js'
import { measureVerification } from '../../daemon/metrics/verification-metrics.js'
import { WebhookMetrics } from '../../daemon/metrics/webhook-metrics.js'

const read = (name: string) => readFile(path.join(installDirectory(), 'packaging/prometheus', name), 'utf8')

/** Names of metrics that the daemon has; nothing is collected. */
function metricNames(): ReadonlySet<string> {
  const registry = new Registry()
  const nothing = () => Promise.reject(new Error('nothing is collected'))
  measureRequests({ addHook: () => undefined } as never, registry)
  measureProcess(registry, '1')
  const prepared = { count: 0, memoryBytes: 0, outcomes: () => 0 }
  measurePrepared({ registry, prepared, releases: { count: 0 } })
  measureTasks(registry, () => ({ fault: undefined, active: 0, waiting: 0 }))
  measureNode({ registry, isolation: { ping: nothing }, readiness: { assertReady: nothing }, stateDirectory: '/' })
  const blobs = { list: () => [] as never }
  measureStorage({ registry, blobs, references: { resources: nothing }, isolation: { caches: nothing } })
  const none = { damaged: () => [], foundSinceStart: () => 0 }
  const verifier = { periodMs: 0, summary: () => ({ dueBytes: 0, oldest: undefined }), verifiedBytes: () => 0 }
  measureVerification({ registry, verifications: none, verifier })
  new StagingMetrics({
    registry,
    ledger: { counts: nothing },
    node: '',
    shipped: [],
    queue: { limit: 1, draining: false },
  })
  new WebhookMetrics({ registry, webhooks: { waiting: nothing } })
  return new Set(
    registry.getMetricsAsArray().flatMap(({ name, type }) => {
      return String(type) === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
    }),
  )
}

describe('rules and dashboard for Prometheus', () => {
  it.each(['stagerd-rules.yml', 'stagerd-rules-test.yml', 'stagerd-dashboard.json'])(
    '%s names only metrics that the daemon has',
    async (file) => {
      const names = metricNames()
      const used = [...(await read(file)).matchAll(/\b(?:stagerd|process)_[a-z_]+/g)].map(([name]) => name)
      expect(used.length).toBeGreaterThan(10)
      expect([...new Set(used)].filter((name) => !names.has(name))).toEqual([])
    },
  )

  // scripts/test has promtool run it.
  it('each alert fires in the unit test of the rules', async () => {
    const alerts = [...(await read('stagerd-rules.yml')).matchAll(/- alert: (\w+)/g)].map(([, name]) => name)
    const fired = [...(await read('stagerd-rules-test.yml')).matchAll(/alertname="(\w+)"/g)].map(([, name]) => name)
    expect(fired.sort()).toEqual(alerts.sort())
  })
})
