import { Registry } from 'prom-client'
import { expect, it, onTestFinished } from 'vitest'
import { HOLDERS } from '../../../daemon/api/access.js'
import { metricsRoutes } from '../../../daemon/api/routes/metrics.js'
import { buildServer } from '../../../daemon/api/server.js'
import { temporaryDirectory } from '../store/temporary-directory.js'
import { ApiClient, logTo, UNGUARDED } from './api-client.js'

it('/metrics counts requests by their route, not by their URL', async () => {
  const registry = new Registry()
  const api = buildServer({
    logger: logTo([]),
    registry,
    ...UNGUARDED,
    routes: [
      (scope) => metricsRoutes(scope, { registry }),
      (scope) =>
        void scope.get('/things/:name', { access: HOLDERS }, (_request, reply) => reply.code(404).send('gone')),
    ],
  })
  const under = new ApiClient(api, await temporaryDirectory())
  onTestFinished(() => under.close())

  await under.ask('GET', '/things/secret')
  await under.ask('GET', '/no/such/thing')
  const { document, headers } = await under.ask<string>('GET', '/metrics')
  expect(headers['content-type']).toMatch(/^text\/plain/)
  expect(document).toContain('stagerd_api_requests_total{method="GET",route="/things/:name",status="404"} 1')
  expect(document).toContain('stagerd_api_requests_total{method="GET",route="none",status="404"} 1')
  expect(document).toMatch(/^stagerd_api_sent_bytes_total [1-9]/m)
  expect(document).not.toContain('secret')
})
