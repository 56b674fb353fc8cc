import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AccessClient } from '../../daemon/api/access-requests.js'
import { ApiUnderTest } from '../../daemon/api/api-under-test.js'
import { Canary, differences } from '../support/canary.js'
import { figures } from '../support/promises.js'
import { HOSTILE_NAMES, HOSTILE_NAMESPACES, ODD_NAMES } from './names.js'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
interface Route {
  readonly method: Method
  readonly path: string
}
interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>
}

/** What is made with a name, by the route that makes it. Each is valid but for its name. */
const MADE: Readonly<Record<string, (name: string, namespace: string) => object>> = {
  '/v1/packages': (name, namespace) => ({ namespace, name }),
  '/v1/policies': (name, namespace) => ({ namespace, name, text: '' }),
  '/v1/stagingpipelines': (name, namespace) => ({ namespace, name, stagers: [stager] }),
  '/v1/stagers': (name, namespace) => ({ namespace, name, package: program, start_command: './stage' }),
}
let stager = ''
let program = ''

describe('hostile names at the control API', () => {
  let under: ApiUnderTest
  let canary: Canary
  let routes: readonly Route[]
  let before: Record<string, string>
  beforeAll(async () => {
    under = await ApiUnderTest.open()
    const make = await AccessClient.open(under)
    stager = await make.stager()
    program = await make.package()
    await make.policy()
    await make.staging()
    const { document } = await under.ask<OpenApi>('GET', '/openapi.json')
    routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      path.includes('{')
        ? Object.keys(methods).map((method) => ({ method: method.toUpperCase() as Method, path }))
        : [],
    )
    const place = under.directory.path
    canary = new Canary(place, [...(await readdir(place)), 'stagerd.db-wal', 'stagerd.db-shm'])
    before = await everything()
  })
  afterAll(() => under.close())

  /** All that the node has, as its lists show it. */
  const everything = async () => {
    const lists = ['packages', 'stagers', 'stagingpipelines', 'policies', 'stagings', 'tokens', 'webhooks']
    const shown = await Promise.all(
      lists.map(async (list) => JSON.stringify((await under.ask('GET', `/v1/${list}`)).document)),
    )
    return Object.fromEntries(lists.map((list, index) => [list, shown[index] ?? '']))
  }
  const check = async (what: string) => {
    canary.check(what)
    figures.check('escape', what, differences(before, await everything()))
  }

  it('are sent to every route with a name', () => {
    expect(routes.length).toBeGreaterThan(35)
    expect(Object.keys(HOSTILE_NAMES).length).toBeGreaterThan(30)
  })

  it.each(Object.entries(HOSTILE_NAMES))('%s is refused at every route, and changes nothing', async (what, name) => {
    const wrong: string[] = []
    for (const { method, path } of routes) {
      const url = path.replaceAll(/\{\w+\}/g, encodeURIComponent(Buffer.from(name).toString()))
      const { status, document } = await under.ask(
        method,
        url,
        method === 'GET' || method === 'DELETE' ? undefined : {},
      )
      if (status < 400 || status > 499 || typeof document.code !== 'string')
        wrong.push(`${method} ${path}: ${status} ${JSON.stringify(document).slice(0, 200)}`)
    }
    expect(wrong).toEqual([])
    await check(`the name ${what}`)
  })

  describe.each(Object.entries(MADE))('POST %s', (path, documentOf) => {
    it.each(Object.entries(HOSTILE_NAMES))('does not take %s for a name', async (what, name) => {
      const { status, document } = await under.ask('POST', path, documentOf(name, '/acme'))
      expect([status, document.code]).toEqual([400, expect.stringMatching(/^bad-(name|document)$/)])
      await check(`a thing called ${what}`)
    })

    it.each(Object.entries(HOSTILE_NAMESPACES))('does not take %s for a namespace', async (what, namespace) => {
      const { status, document } = await under.ask('POST', path, documentOf('app', namespace))
      expect([status, document.code]).toEqual([400, expect.stringMatching(/^bad-(namespace|document)$/)])
      await check(`a thing in the namespace ${what}`)
    })
  })

  it.each(Object.entries(HOSTILE_NAMESPACES))('a token is not made for %s', async (what, namespace) => {
    const token = { name: 'tenant', access: 'write', namespaces: [namespace] }
    expect((await under.ask('POST', '/v1/tokens', token)).status).toBe(400)
    await check(`a token for the namespace ${what}`)
  })

  it('odd names are names, and mean themselves', async () => {
    for (const name of ODD_NAMES) {
      expect(await under.ask('POST', '/v1/packages', { namespace: '/odd', name })).toMatchObject({ status: 201 })
      const url = `/v1/packages/${encodeURIComponent(`package::/odd::${name}`)}`
      const { document } = await under.ask('GET', url)
      figures.check(
        'loss',
        `the package ${name}`,
        document.fqn === `package::/odd::${name}` ? [] : [JSON.stringify(document)],
      )
      expect(await under.ask('DELETE', url)).toMatchObject({ status: 204 })
    }
    expect(await everything()).toEqual(before)
  })
})
