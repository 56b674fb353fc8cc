import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BadInput, Fault } from '../../../base/errors.js'
import { HOLDERS } from '../../../daemon/api/access.js'
import { buildServer } from '../../../daemon/api/server.js'
import { temporaryDirectory } from '../store/temporary-directory.js'
import { ApiClient, logTo, UNGUARDED } from './api-client.js'

describe('every route of the API', () => {
  let under: ApiClient
  let logged: string[]
  /** What the only route of this API does. */
  let handle: () => unknown
  beforeEach(async () => {
    logged = []
    handle = () => ({ status: 'ok' })
    const api = buildServer({
      logger: logTo(logged),
      registry: new Registry(),
      ...UNGUARDED,
      routes: [(scope) => void scope.get('/things/:name', { access: HOLDERS }, async () => Promise.resolve(handle()))],
    })
    under = new ApiClient(api, await temporaryDirectory())
  })
  afterEach(() => under.close())

  it('that does not exist is reported as such', async () => {
    for (const [method, url] of [
      ['GET', '/v2'],
      ['DELETE', '/things/one'],
      ['POST', '/things/one'],
    ] as const)
      expect((await under.ask(method, url)).document).toMatchObject({ status: 404, code: 'no-such-route' })
    expect((await under.ask('GET', '/things/%zz')).document).toMatchObject({ status: 400 })
  })

  it.each([
    ['GET /healthz HTTP/1.1\r\nno header\r\n\r\n', 400, 'bad-http'],
    ['hello\r\n\r\n', 400, 'bad-http'],
    [`GET /things/one HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(20_000)}\r\n\r\n`, 431, 'headers-too-large'],
  ])('answers with a problem document what is not HTTP (%#)', async (request, status, code) => {
    const answer = await under.raw(request)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toContain('content-type: application/problem+json')
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ status, code })
  })

  it('refuses web pages', async () => {
    expect((await under.ask('GET', '/things/one')).status).toBe(200)
    const answer = await under.ask('GET', '/things/one', undefined, { origin: 'https://example.com' })
    expect(answer.document).toMatchObject({ status: 403, code: 'cross-origin' })
  })

  it('logs an unexpected error once, and does not show it to the client', async () => {
    handle = () => Promise.reject(new Error('a secret of the host'))
    const { document } = await under.ask('GET', '/things/one')
    expect(document).toMatchObject({ status: 500, code: 'internal-error', title: 'stagerd failed' })
    expect(JSON.stringify(document)).not.toContain('secret')
    expect(logged.filter((line) => line.includes('a secret of the host'))).toHaveLength(1)
  })

  it('logs a known fault once, and shows it', async () => {
    handle = () => Promise.reject(new Fault('blob-corrupt', 'The resource is damaged.'))
    const { document } = await under.ask('GET', '/things/one')
    expect(document).toMatchObject({ status: 500, code: 'blob-corrupt', detail: 'The resource is damaged.' })
    expect(logged).toHaveLength(1)
  })

  it('does not log a refusal', async () => {
    handle = () => Promise.reject(new BadInput('bad-name', 'It is not a name.'))
    expect((await under.ask('GET', '/things/one')).document).toMatchObject({ status: 400, code: 'bad-name' })
    expect(logged).toEqual([])
  })
})
