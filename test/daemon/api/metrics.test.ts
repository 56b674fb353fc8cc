import { Registry } from 'prom-client'
import { expect, it, onTestFinished } from 'vitest'
import { HOLDERS } from '../../../daemon/api/access.js'
import { metricsRoutes } from '../../../daemon/api/routes/metrics.js'
import { buildServer } from '../../../daemon/api/server.js'
import { temporaryDirectory } from '../store/temporary-directory.js'
import { ApiClient, logTo, UNGUARDED } from './api-client.js'

async function serve() {
  const registry = new Registry()
  const api = buildServer({
    logger: logTo([]),
    registry,
    ...UNGUARDED,
    routes: [
      (scope) => metricsRoutes(scope, { registry }),
      (scope) =>
        void scope.get('/things/:name', { access: HOLDERS }, (_request, reply) => reply.code(404).send('gone')),
      (scope) => void scope.get('/faults', { access: HOLDERS }, (_request, reply) => reply.code(500).send('fault')),
    ],
  })
  const under = new ApiClient(api, await temporaryDirectory())
  onTestFinished(() => under.close())
  return { ask: async (url: string) => (await under.ask<string>('GET', url)).document }
}

it('/metrics counts requests by their route, not by their URL', async () => {
  const { ask } = await serve()
  await ask('/things/secret')
  await ask('/no/such/thing')
  const document = await ask('/metrics')
  expect(document).toContain('stagerd_api_requests_total{method="GET",route="/things/:name",status="404"} 1')
  expect(document).toContain('stagerd_api_requests_total{method="GET",route="none",status="404"} 1')
  expect(document).toMatch(/^stagerd_api_sent_bytes_total [1-9]/m)
  expect(document).not.toContain('secret')
})

it('/metrics counts faults from 0, so that an increase shows the first', async () => {
  const { ask } = await serve()
  expect(await ask('/metrics')).toContain('stagerd_api_faults_total 0')
  await ask('/things/a')
  await ask('/faults')
  expect(await ask('/metrics')).toContain('stagerd_api_faults_total 1')
})
