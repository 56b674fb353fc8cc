import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FleetNode } from '../../../daemon/documents/fleet-node.js'
import { nodesRoutes } from '../../../daemon/api/routes/nodes.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { nodeIdentity } from '../../support/fleet/node-ledger.js'
import { temporaryDirectory } from '../store/temporary-directory.js'
import { openRoutes, type ApiClient } from './api-client.js'

describe('the nodes of a fleet', () => {
  const [self, other] = [nodeIdentity({ name: 'here' }), nodeIdentity({ name: 'there', labels: ['gpu'] })]
  let under: ApiClient
  let told: (readonly [string, string])[]
  let store: SqliteStore
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  beforeEach(async () => {
    told = []
    directory = await temporaryDirectory()
    store = SqliteStore.open(`${directory.path}/stagerd.db`)
    for (const node of [self, other]) await store.nodes.openTerm(node, 60_000)
    const stagings = { drain: () => void told.push(['drain', '']), undrain: () => void told.push(['undrain', '']) }
    const wakeups = { notify: (topic: string, about: string) => void told.push([topic, about]) }
    under = await openRoutes((api) => nodesRoutes(api, { nodes: store.nodes, wakeups, stagings, self: self.uuid }))
  })
  afterEach(async () => {
    await under.close()
    store.close()
    await directory.remove()
  })

  it('are listed, with what they say of themselves', async () => {
    const { document } = await under.ask<FleetNode[]>('GET', '/v1/nodes')
    expect(document).toMatchObject([
      { name: 'here', self: true, alive: true, state: 'active', running: 0, labels: [] },
      { name: 'there', self: false, alive: true, state: 'active', running: 0, labels: ['gpu'] },
    ])
    expect((await under.ask('GET', `/v1/nodes/${other.uuid}`)).document).toEqual(document[1])
    expect((await under.ask('GET', '/v1/nodes/nowhere')).document).toMatchObject({ code: 'node-not-found' })
  })

  it('are drained and undrained from any of them', async () => {
    expect((await under.ask('POST', '/v1/nodes/there/drain')).document).toMatchObject({ state: 'draining' })
    expect((await under.ask('POST', '/v1/nodes/here/drain')).document).toMatchObject({ state: 'draining' })
    expect((await under.ask('POST', '/v1/nodes/here/undrain')).document).toMatchObject({ state: 'active' })
    expect(told).toEqual([
      ['node', other.uuid],
      ['drain', ''],
      ['undrain', ''],
    ])
    expect(await store.nodes.list()).toMatchObject([{ state: 'active' }, { state: 'draining' }])
  })

  it('are forgotten when they are gone, and not before', async () => {
    expect((await under.ask('DELETE', '/v1/nodes/there')).document).toMatchObject({ status: 409, code: 'node-alive' })
    const { term } = await store.nodes.get('there')
    await store.nodes.closeTerm({ number: term!, node: other.uuid, labels: [] })
    expect((await under.ask('DELETE', '/v1/nodes/there')).document).toMatchObject({ name: 'there', alive: false })
    expect(await store.nodes.list()).toMatchObject([{ name: 'here' }])
  })
})
