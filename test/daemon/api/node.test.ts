import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Fault } from '../../../base/errors.js'
import { ApiUnderTest } from './api-under-test.js'

interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Record<string, unknown> }>>>>
}

describe('the node over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
  })
  afterEach(() => under.close())

  it('says what it is and what its host can do', async () => {
    expect((await under.ask('GET', '/v1/node')).document).toMatchObject({ version: '1.2.3', engine: { answers: true } })
    const report = { findings: [{ subject: 'overlay', verdict: 'good', message: 'It mounts.' }] }
    expect((await under.ask('GET', '/v1/node/doctor')).document).toEqual(report)
  })

  it('is healthy while it answers, and ready when stagings would begin', async () => {
    expect((await under.ask('GET', '/readyz')).document).toEqual({ status: 'ok' })
    under.node.ready = false
    expect((await under.ask('GET', '/readyz')).document).toMatchObject({ status: 503, code: 'starting' })
    under.node.answers = false
    expect((await under.ask('GET', '/readyz')).document).toMatchObject({ status: 503, code: 'engine-down' })
    expect((await under.ask('GET', '/healthz')).document).toEqual({ status: 'ok' })
  })

  it('counts what it answers, by route and not by address', async () => {
    await under.ask('GET', '/v1/packages/package%3A%3A%2Facme%3A%3Asecret')
    await under.ask('GET', '/no/such/thing')
    const { document, headers } = await under.ask<string>('GET', '/metrics')
    expect(headers['content-type']).toMatch(/^text\/plain/)
    expect(document).toContain('stagerd_api_requests_total{method="GET",route="/v1/packages/:ref",status="404"} 1')
    expect(document).toContain('stagerd_api_requests_total{method="GET",route="none",status="404"} 1')
    expect(document).toContain('stagerd_stagings{state="queued"} 0')
    expect(document).not.toContain('secret')
  })

  it('describes itself in OpenAPI 3.1, refusals included', async () => {
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

  it('says so when there is nothing at an address', async () => {
    for (const [method, url] of [
      ['GET', '/v2'],
      ['DELETE', '/v1/node'],
      ['POST', '/healthz'],
    ] as const)
      expect((await under.ask(method, url)).document).toMatchObject({ status: 404, code: 'no-such-route' })
    expect((await under.ask('GET', '/v1/packages/%zz')).document).toMatchObject({ status: 400 })
  })

  it('does not obey web pages', async () => {
    const answer = await under.ask('GET', '/v1/node', undefined, { origin: 'https://example.com' })
    expect(answer.document).toMatchObject({ status: 403, code: 'cross-origin' })
  })

  it('logs a fault of its own once, and no refusal', async () => {
    under.runs.starting = () => Promise.reject(new Error('a secret of the machine room'))
    const answer = await under.ask('POST', '/v1/runs', { package: 'package::/acme::app' })
    expect(answer.document).toMatchObject({ status: 500, code: 'internal-error', title: 'stagerd failed' })
    expect(JSON.stringify(answer.document)).not.toContain('secret')
    expect(under.logged.filter((line) => line.includes('machine room'))).toHaveLength(1)

    under.runs.starting = () => Promise.reject(new Fault('blob-corrupt', 'The resource is damaged.'))
    const known = await under.ask('POST', '/v1/runs', { package: 'package::/acme::app' })
    expect(known.document).toMatchObject({ status: 500, code: 'blob-corrupt', detail: 'The resource is damaged.' })
    const before = under.logged.length
    await under.ask('GET', '/v1/packages/nothing')
    expect(under.logged.slice(before)).toEqual([])
  })
})
