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
  // A time series of `requests` begins with the first fault, so that `increase` does not see it. This one begins at 0.
  const faults = new Counter({
    name: 'stagerd_api_faults_total',
    help: 'Requests that were answered with 500: faults of stagerd itself',
    registers: [registry],
  })
  const seconds = new Histogram({
    name: 'stagerd_api_request_seconds',
    help: 'From the head of a request to the end of its answer',
    labelNames: ['method', 'route'] as const,
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60],
    registers: [registry],
  })

  const received = new Counter({
    name: 'stagerd_api_received_bytes_total',
    help: 'Bodies of requests, as far as they announce their length',
    registers: [registry],
  })
  const sent = new Counter({
    name: 'stagerd_api_sent_bytes_total',
    help: 'Bodies of answers, as far as they announce their length',
    registers: [registry],
  })

  api.addHook('onResponse', (request, reply, done) => {
    // The pattern, not the URL: otherwise every name that somebody asks for adds a time series.
    const route = request.routeOptions.url ?? 'none'
    requests.inc({ method: request.method, route, status: reply.statusCode })
    if (reply.statusCode === 500) faults.inc()
    seconds.observe({ method: request.method, route }, reply.elapsedTime / 1000)
    received.inc(lengthOf(request.headers['content-length']))
    sent.inc(lengthOf(reply.getHeader('content-length')))
    done()
  })
}

function lengthOf(header: unknown): number {
  const length = Number(header ?? 0)
  return Number.isFinite(length) && length > 0 ? length : 0
}
