import { Counter, Histogram, type Registry } from 'prom-client'
import type { Api } from './fastify.js'

/** Counts and times the requests of all routes. */
export function measureRequests(api: Api, registry: Registry): void {
  const labelNames = ['method', 'route', 'status'] as const
  const requests = new Counter({
    name: 'stagerd_api_requests_total',
    help: 'Requests that were answered',
    labelNames,
    registers: [registry],
  })
  const seconds = new Histogram({
    name: 'stagerd_api_request_seconds',
    help: 'From the head of a request to the end of its answer',
    labelNames: ['method', 'route'] as const,
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60],
    registers: [registry],
  })

  api.addHook('onResponse', (request, reply, done) => {
    // The pattern, not the URL: otherwise every name that somebody asks for adds a time series.
    const route = request.routeOptions.url ?? 'none'
    requests.inc({ method: request.method, route, status: reply.statusCode })
    seconds.observe({ method: request.method, route }, reply.elapsedTime / 1000)
    done()
  })
}
