import { expect, it, onTestFinished } from 'vitest'
import { ApiUnderTest } from './api-under-test.js'

interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Record<string, unknown> }>>>>
}

it('the API describes all of its routes in OpenAPI 3.1, including refusals', async () => {
  const under = await ApiUnderTest.open()
  onTestFinished(() => under.close())
  const { document } = await under.ask<OpenApi>('GET', '/openapi.json')
  expect(document.openapi).toBe('3.1.0')
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(routes.sort()).toMatchInlineSnapshot(`
    [
      "DELETE /v1/packages/{ref}",
      "DELETE /v1/policies/{ref}",
      "DELETE /v1/stagers/{ref}",
      "DELETE /v1/stagingpipelines/{ref}",
      "GET /healthz",
      "GET /metrics",
      "GET /readyz",
      "GET /v1/exchange",
      "GET /v1/node",
      "GET /v1/node/doctor",
      "GET /v1/packages",
      "GET /v1/packages/{ref}",
      "GET /v1/packages/{ref}/data",
      "GET /v1/policies",
      "GET /v1/policies/{ref}",
      "GET /v1/policies/{ref}/versions",
      "GET /v1/resources/{sha256}",
      "GET /v1/stagers",
      "GET /v1/stagers/{ref}",
      "GET /v1/stagingpipelines",
      "GET /v1/stagingpipelines/{ref}",
      "GET /v1/stagings",
      "GET /v1/stagings/{uuid}",
      "GET /v1/stagings/{uuid}/log",
      "PATCH /v1/packages/{ref}",
      "PATCH /v1/stagers/{ref}",
      "PATCH /v1/stagingpipelines/{ref}",
      "POST /v1/build-scripts",
      "POST /v1/exchange",
      "POST /v1/images/packages",
      "POST /v1/node/gc",
      "POST /v1/packages",
      "POST /v1/packages/resolution",
      "POST /v1/policies",
      "POST /v1/resources",
      "POST /v1/runs",
      "POST /v1/runs/{uuid}/stop",
      "POST /v1/stagers",
      "POST /v1/stagingpipelines",
      "POST /v1/stagings",
      "POST /v1/stagings/{uuid}/cancel",
      "POST /v1/stagings/{uuid}/retry",
      "PUT /v1/packages/{ref}/content",
      "PUT /v1/packages/{ref}/resource",
      "PUT /v1/policies/{ref}",
    ]
  `)
  expect(Object.keys(document.paths['/v1/packages']!.post!.responses)).toEqual(['201', '4XX', '5XX'])
})
