import { Gauge, type Registry } from 'prom-client'
import { Type } from 'typebox'
import { OPEN_STATES } from '../../model/staging.js'
import type { StagingLedger } from '../../store/staging-ledger.js'
import { HOLDERS } from '../access.js'
import type { Api } from '../fastify.js'

export interface MetricsRoutesParts {
  readonly registry: Registry
  readonly ledger: Pick<StagingLedger, 'list'>
}

/**
 * For Prometheus: the requests, the queue and the process. The default metrics of prom-client are left out: they measure
 * the delay of the event loop, which wakes an idle daemon a hundred times a second.
 */
export function metricsRoutes(api: Api, { registry, ledger }: MetricsRoutesParts): void {
  new Gauge({
    name: 'stagerd_stagings',
    help: 'Stagings that have not ended',
    labelNames: ['state'] as const,
    registers: [registry],
    async collect() {
      for (const state of OPEN_STATES) this.set({ state }, (await ledger.list({ state })).length)
    },
  })
  new Gauge({
    name: 'stagerd_resident_memory_bytes',
    help: 'Memory of the daemon',
    registers: [registry],
    collect() {
      this.set(process.memoryUsage.rss())
    },
  })

  api.get(
    '/metrics',
    {
      access: HOLDERS,
      schema: {
        operationId: 'readMetrics',
        tags: ['node'],
        response: { 200: { description: 'for Prometheus', content: { 'text/plain': { schema: Type.String() } } } },
      },
    },
    async (_request, reply) => reply.header('content-type', registry.contentType).send(await registry.metrics()),
  )
}
