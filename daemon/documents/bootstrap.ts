import { Type, type Static } from 'typebox'
import { BOOTSTRAP_STATES, ITEM_STATES, type ItemState } from '../model/bootstrap.js'
import { closed, oneOf } from './schema.js'

const ITEM_MEANINGS: Readonly<Record<ItemState, string>> = {
  waiting: 'what it needs is not there yet',
  working: 'being made',
  current: 'there already, made from the same recipe',
  made: 'made, or replaced because its recipe differs',
  kept: 'there already, and not made from a recipe of stagerd, so it is left alone',
  failed: 'could not be made',
  skipped: 'something that it needs could not be made',
  cancelled: 'not made, because the bootstrap was cancelled',
}

export const BootstrapItem = Type.Object(
  {
    name: Type.String({ description: 'FQN of a package or a stager' }),
    state: oneOf(ITEM_STATES, ITEM_MEANINGS),
    staging: Type.Optional(Type.String({ description: 'UUID of the staging that builds it' })),
    message: Type.Optional(Type.String()),
  },
  { ...closed, title: 'BootstrapItem' },
)

export const Bootstrap = Type.Object(
  {
    uuid: Type.String(),
    state: oneOf(BOOTSTRAP_STATES),
    pipelines: Type.Array(Type.String(), { description: 'names; empty for all that ship with stagerd' }),
    items: Type.Array(BootstrapItem),
    message: Type.Optional(Type.String()),
    started_at: Type.String(),
    ended_at: Type.Optional(Type.String()),
  },
  { ...closed, title: 'Bootstrap' },
)
export type Bootstrap = Static<typeof Bootstrap>

/** POST /v1/bootstraps */
export const BootstrapDraft = Type.Object(
  {
    pipelines: Type.Optional(
      Type.Array(Type.String(), { description: 'names of pipelines that ship with stagerd; default: all' }),
    ),
  },
  { ...closed, title: 'BootstrapDraft' },
)
export type BootstrapDraft = Static<typeof BootstrapDraft>
