import type { Registry } from 'prom-client'
import { Type } from 'typebox'
import { HOLDERS } from '../access.js'
import type { Api } from '../fastify.js'

export interface MetricsRoutesParts {
  readonly registry: Registry
}

/** For Prometheus: what daemon/metrics/ and request-metrics.ts measure. */
export function metricsRoutes(api: Api, { registry }: MetricsRoutesParts): void {
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
