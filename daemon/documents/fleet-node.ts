import { Type, type Static } from 'typebox'
import { NODE_STATES } from '../model/node.js'
import { closed, oneOf } from './schema.js'

export const FleetNode = Type.Object(
  {
    uuid: Type.String(),
    name: Type.String(),
    labels: Type.Array(Type.String()),
    address: Type.Optional(Type.String({ description: 'where its control API is served over TCP' })),
    node_address: Type.Optional(Type.String({ description: 'where other nodes pass requests on to it' })),
    state: oneOf(NODE_STATES, {
      active: 'it takes stagings',
      draining: 'it takes none; those that it runs go on',
    }),
    alive: Type.Boolean({
      description: 'whether it may run stagings: it has a term whose lease was not found to be over',
    }),
    running: Type.Integer({ description: 'stagings that it runs' }),
    first_seen_at: Type.String(),
    last_seen_at: Type.String({ description: 'when it last began or renewed its term' }),
    self: Type.Boolean({ description: 'whether it is the node that answers' }),
  },
  { ...closed, title: 'FleetNode' },
)
export type FleetNode = Static<typeof FleetNode>
