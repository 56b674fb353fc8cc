import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Unavailable } from '../../../base/errors.js'
import { nodeRoutes } from '../../../daemon/api/routes/node.js'
import type { NodeStatus } from '../../../daemon/documents/node.js'
import type { FleetNode, NodeState } from '../../../daemon/model/node.js'
import { openRoutes, type ApiClient } from './api-client.js'

describe('the node over the API', () => {
  const engine = { answers: true, message: 'The Engine answers.' }
  let missing: Error | undefined
  const status: NodeStatus = {
    version: '1.2.3',
    node: '00000000-0000-4000-8000-000000000000',
    state_dir: '/state',
    engine,
    packages: 0,
    stagings: { queued: 0, running: 0, limit: 2 },
    draining: false,
    prepared: 0,
    kept_networks: 3,
    stager_caches: { count: 0, bytes: 0 },
    kept: [],
    uptime_seconds: 1,
  }
  const finding = { subject: 'overlay', verdict: 'good', message: 'It mounts.' } as const
  const node = { status: () => Promise.resolve(status), doctor: () => Promise.resolve([finding]) }

  let under: ApiClient
  let states: string[]
  beforeEach(async () => {
    missing = undefined
    status.draining = false
    const readiness = { assertReady: () => (missing ? Promise.reject(missing) : Promise.resolve()) }
    const stagings = { drain: () => void (status.draining = true), undrain: () => void (status.draining = false) }
    states = []
    const setState = (self: string, state: NodeState) => {
      states.push(`${self} ${state}`)
      return Promise.resolve({} as FleetNode)
    }
    under = await openRoutes((api) =>
      nodeRoutes(api, { node, readiness, stagings, nodes: { setState }, self: 'this-node' }),
    )
  })
  afterEach(() => under.close())

  it('reports its status and what its host can do', async () => {
    expect((await under.ask('GET', '/v1/node')).document).toEqual(status)
    expect((await under.ask('GET', '/v1/node/doctor')).document).toEqual({ findings: [finding] })
  })

  it('is healthy while it answers, and ready while stagings are admitted', async () => {
    expect((await under.ask('GET', '/readyz')).document).toEqual({ status: 'ok' })
    missing = new Unavailable('engine-down', 'The Engine is down.')
    expect((await under.ask('GET', '/readyz')).document).toMatchObject({
      status: 503,
      code: 'engine-down',
      detail: 'The Engine is down.',
    })
    expect((await under.ask('GET', '/healthz')).document).toEqual({ status: 'ok' })
    expect((await under.ask('GET', '/healthz?all')).document).toMatchObject({ status: 400 })
  })

  it('is drained and undrained, and says so', async () => {
    expect((await under.ask('POST', '/v1/node/drain')).document).toMatchObject({ draining: true })
    expect((await under.ask('GET', '/v1/node')).document).toMatchObject({ draining: true })
    expect((await under.ask('POST', '/v1/node/undrain')).document).toMatchObject({ draining: false })
    expect(states, 'as other nodes see it').toEqual(['this-node draining', 'this-node active'])
  })
})
