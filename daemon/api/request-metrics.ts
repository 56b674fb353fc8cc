import { Counter, Gauge, Histogram } from 'prom-client'
import type { Api } from './fastify.js'
import type { ApiParts } from './parts.js'

/**
 * What /metrics shows of the API, the queue and the process. prom-client's default metrics are left out: their watch on
 * the event loop wakes an idle daemon a hundred times a second.
 */
export function measureRequests(api: Api, { metrics, ledger }: ApiParts): void {
  const labelNames = ['method', 'route', 'status'] as const
  const requests = new Counter({
    name: 'stagerd_api_requests_total',
    help: 'Requests that were answered',
    labelNames,
    registers: [metrics],
  })
  const seconds = new Histogram({
    name: 'stagerd_api_request_seconds',
    help: 'From the head of a request to the end of its answer',
    labelNames: ['method', 'route'] as const,
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60],
    registers: [metrics],
  })
  new Gauge({
    name: 'stagerd_stagings',
    help: 'Stagings that have not ended',
    labelNames: ['state'] as const,
    registers: [metrics],
    async collect() {
      for (const state of ['queued', 'running'] as const) this.set({ state }, (await ledger.list({ state })).length)
    },
  })
  new Gauge({
    name: 'stagerd_resident_memory_bytes',
    help: 'Memory of the daemon',
    registers: [metrics],
    collect() {
      this.set(process.memoryUsage.rss())
    },
  })

  api.addHook('onResponse', (request, reply, done) => {
    // The pattern and not the address: one series for a route, whatever people ask for.
    const route = request.routeOptions.url ?? 'none'
    requests.inc({ method: request.method, route, status: reply.statusCode })
    seconds.observe({ method: request.method, route }, reply.elapsedTime / 1000)
    done()
  })
}
