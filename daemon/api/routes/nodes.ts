import { Type } from 'typebox'
import { FleetNode as FleetNodeDocument } from '../../documents/fleet-node.js'
import type { FleetNode, NodeState } from '../../model/node.js'
import type { StagingService } from '../../staging/staging-service.js'
import type { NodeRepository } from '../../store/node-repository.js'
import type { Wakeups } from '../../store/wakeups.js'
import { ADMINISTRATORS } from '../access.js'
import type { Api } from '../fastify.js'
import { NoQuery, REFUSALS } from './schemas.js'

const tags = ['node']
const NodePath = Type.Object(
  { node: Type.String({ minLength: 1, description: 'UUID or name' }) },
  { additionalProperties: false },
)

export interface NodesRoutesParts {
  readonly nodes: Pick<NodeRepository, 'list' | 'get' | 'setState' | 'remove'>
  readonly wakeups: Pick<Wakeups, 'notify'>
  readonly stagings: Pick<StagingService, 'drain' | 'undrain'>
  /** UUID of the node that answers. */
  readonly self: string
}

export function nodesRoutes(api: Api, { nodes, wakeups, stagings, self }: NodesRoutesParts): void {
  const render = (node: FleetNode): FleetNodeDocument => ({
    uuid: node.uuid,
    name: node.name,
    labels: [...node.labels],
    ...(node.address === undefined ? {} : { address: node.address }),
    ...(node.nodeAddress === undefined ? {} : { node_address: node.nodeAddress }),
    state: node.state,
    alive: node.term !== undefined,
    running: node.running,
    first_seen_at: node.firstSeenAt,
    // A node that has the database to itself need not renew its term.
    last_seen_at: node.uuid === self ? new Date().toISOString() : node.lastSeenAt,
    self: node.uuid === self,
  })

  api.get(
    '/v1/nodes',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'listNodes',
        tags,
        description: 'those that share the database of this one, by name',
        querystring: NoQuery,
        response: { 200: Type.Array(FleetNodeDocument), ...REFUSALS },
      },
    },
    async () => (await nodes.list()).map(render),
  )

  api.get(
    '/v1/nodes/:node',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'showFleetNode',
        tags,
        params: NodePath,
        querystring: NoQuery,
        response: { 200: FleetNodeDocument, ...REFUSALS },
      },
    },
    async ({ params }) => render(await nodes.get(params.node)),
  )

  const setState = async (node: string, state: NodeState): Promise<FleetNodeDocument> => {
    const found = await nodes.setState(node, state)
    if (found.uuid !== self) wakeups.notify('node', found.uuid)
    else if (state === 'draining') stagings.drain()
    else stagings.undrain()
    return render(found)
  }
  const states = [
    [
      'drain',
      'draining',
      'drainFleetNode',
      'it takes no staging until it is undrained or restarted; those that it runs go on',
    ],
    ['undrain', 'active', 'undrainFleetNode', 'it takes stagings again'],
  ] as const
  for (const [verb, state, operationId, description] of states)
    api.post(
      `/v1/nodes/:node/${verb}`,
      {
        access: ADMINISTRATORS,
        schema: {
          operationId,
          tags,
          description,
          params: NodePath,
          querystring: NoQuery,
          response: { 200: FleetNodeDocument, ...REFUSALS },
        },
      },
      async ({ params }) => await setState(params.node, state),
    )

  api.delete(
    '/v1/nodes/:node',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'removeNode',
        tags,
        description: 'forgets a node that is gone for good; refused while it is alive',
        params: NodePath,
        querystring: NoQuery,
        response: { 200: FleetNodeDocument, ...REFUSALS },
      },
    },
    async ({ params }) => render(await nodes.remove(params.node)),
  )
}
