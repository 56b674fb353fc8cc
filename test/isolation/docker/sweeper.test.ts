import { mkdir, readdir } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { Sweeper } from '../../../isolation/docker/sweeper.js'
import { networkComment } from '../../../isolation/host/ownership.js'
import { type Answer, engineThatAnswers, ok } from '../../support/engine-that-answers.js'

const owner = { nodeId: '00000000-0000-4000-8000-000000000000', installDirectory: '/opt/stagerd' }
const ONE = '7d0f4f0e-6c4b-4f0a-9d3c-2b1f6a5e4d3c'
const OTHER = '0b5c9d1e-1f2a-4b3c-8d4e-5f6a7b8c9d0e'
/** The networks of both. */
const OF_ONE = '11d0f4f0-6c4b-4f0a-9d3c-2b1f6a5e4d3c'
const OF_OTHER = '225c9d1e-1f2a-4b3c-8d4e-5f6a7b8c9d0e'

const refused = (status: number, message: string): Answer => ({ status, body: { message } })
const labels = (launch: string, network: string) => ({
  Labels: { 'io.stagerd.launch': launch, 'io.stagerd.network': network, 'io.stagerd.node': owner.nodeId },
})
const CONTAINERS = ok([
  { Id: 'c1', ...labels(ONE, OF_ONE) },
  { Id: 'c2', ...labels(OTHER, OF_OTHER) },
])
const networkLabels = (network: string) => ({
  Labels: { 'io.stagerd.network': network, 'io.stagerd.node': owner.nodeId },
})
const NETWORKS = ok([
  { Id: 'n1', Name: 'one', ...networkLabels(OF_ONE) },
  { Id: 'n2', Name: 'other', ...networkLabels(OF_OTHER) },
])
const NOTHING = ok([])
const DONE = ok({})
const ACTIVE = refused(403, 'error while removing network: network one id n1 has active endpoints')

interface Held {
  readonly users?: Readonly<Record<string, string>>
  readonly kept?: readonly string[]
  readonly live?: readonly string[]
}

/** Sweeps a host on which both launches have left a scratch directory and firewall rules. */
async function sweep(
  answers: Readonly<Record<string, readonly Answer[]>>,
  { users = {}, kept = [], live = [] }: Held = {},
) {
  const { engine, asked, directory } = await engineThatAnswers(answers)
  for (const launch of [ONE, OTHER]) await mkdir(path.join(directory, 'launches', launch), { recursive: true })
  let cleared = 0
  const rules = new Set([OF_ONE, OF_OTHER].map((network) => networkComment(owner, network)))
  const sweeper = new Sweeper({
    engine,
    owner,
    stateDirectory: directory,
    firewall: {
      removeWhere: (isRemoved) =>
        Promise.resolve([...rules].filter((comment) => isRemoved(comment) && rules.delete(comment))),
    },
    networks: {
      userOf: (network) => users[network],
      keeps: (network) => kept.includes(network),
      removeKept: () => Promise.resolve(void cleared++),
    },
    strayBridges: { remove: () => Promise.resolve([]) },
    caches: { tidy: () => Promise.resolve() },
  })
  const { removed, failures } = await sweeper.sweep(new Set(live))
  return {
    cleared,
    removed,
    failures,
    asked,
    rules: [...rules],
    scratch: await readdir(path.join(directory, 'launches')),
  }
}

describe('a network that is left', () => {
  const common = { 'GET /containers/json': [NOTHING], 'GET /networks': [NETWORKS], 'DELETE /networks/n2': [DONE] }

  // As Docker 20.10 leaves it when a container has ended while containerd was away.
  it('is removed although an endpoint of a container that is gone is still in it', async () => {
    const { removed, failures, asked } = await sweep({
      ...common,
      'DELETE /networks/n1': [ACTIVE, DONE],
      'GET /networks/n1': [ok({ Containers: { 'ep-5f1c': { Name: `stagerd-${ONE}` }, c7: { Name: 'of-somebody' } } })],
      // Another request has just disconnected the second one.
      'POST /networks/n1/disconnect': [DONE, refused(404, 'endpoint of-somebody not found')],
    })
    expect(failures).toEqual([])
    expect(removed).toEqual(expect.arrayContaining(['network one', 'network other']))
    expect(asked.filter((request) => request.startsWith('POST'))).toHaveLength(2)
  })

  it('and that the Engine cannot remove is reported, and does not keep the others', async () => {
    const { failures, asked } = await sweep({
      ...common,
      'DELETE /networks/n1': [ACTIVE],
      'GET /networks/n1': [ok({ Containers: null })],
    })
    expect(failures).toMatchObject([{ what: 'networks', error: { code: 'engine-refused' } }])
    expect(asked).toContain('DELETE /networks/n2')
  })
})

describe('a container that the Engine refuses to remove', () => {
  it('keeps what belongs to its own launch, and nothing else', async () => {
    const { removed, failures, rules, scratch, asked } = await sweep({
      'GET /containers/json': [CONTAINERS],
      'DELETE /containers/c1': [refused(500, 'unable to remove filesystem for c1: device or resource busy')],
      'DELETE /containers/c2': [DONE],
      'GET /networks': [NETWORKS],
      'DELETE /networks/n2': [DONE],
    })
    expect(failures).toMatchObject([{ what: `container c1 of ${ONE}`, error: { code: 'engine-error' } }])
    expect(removed).toEqual([
      `container c2 of ${OTHER}`,
      `firewall rules ${networkComment(owner, OF_OTHER)}`,
      'network other',
      `scratch directory of ${OTHER}`,
    ])
    expect(rules).toEqual([networkComment(owner, OF_ONE)])
    expect(scratch).toEqual([ONE])
    expect(asked).not.toContain('DELETE /networks/n1')
  })
})

describe('a network of this process', () => {
  const answers = {
    'GET /containers/json': [NOTHING],
    'GET /networks': [NETWORKS],
    'DELETE /networks/n1': [DONE],
    'DELETE /networks/n2': [DONE],
  }

  it('is left to the launch that has it', async () => {
    const { removed, rules, cleared } = await sweep(answers, {
      users: { [OF_ONE]: ONE, [OF_OTHER]: OTHER },
      live: [ONE],
    })
    expect(removed).toContain('network other')
    expect(removed).not.toContain('network one')
    expect(rules).toEqual([networkComment(owner, OF_ONE)])
    expect(cleared).toBe(0)
  })

  it('is left where it is kept for launches to come, but not while nothing is live', async () => {
    const { removed, rules, cleared } = await sweep(answers, { kept: [OF_ONE], live: [ONE] })
    expect(removed).not.toContain('network one')
    expect(rules).toEqual([networkComment(owner, OF_ONE)])
    expect(cleared).toBe(0)
    expect((await sweep(answers, { kept: [OF_ONE] })).cleared).toBe(1)
  })

  it('is left where the container in it is, whoever has made it', async () => {
    const { removed, rules } = await sweep(
      { ...answers, 'GET /containers/json': [CONTAINERS], 'DELETE /containers/c2': [DONE] },
      { live: [ONE] },
    )
    expect(removed).toContain('network other')
    expect(removed).not.toContain('network one')
    expect(rules).toEqual([networkComment(owner, OF_ONE)])
  })

  it('of an earlier version is removed, which has the label of its launch', async () => {
    const { removed } = await sweep({
      ...answers,
      'GET /networks': [
        ok([{ Id: 'n1', Name: 'old', Labels: { 'io.stagerd.launch': ONE, 'io.stagerd.node': owner.nodeId } }]),
      ],
    })
    expect(removed).toContain('network old')
  })
})
