import { Type, type Static } from 'typebox'
import { TOKEN_ACCESS } from '../model/token.js'
import { closed, oneOf } from './schema.js'

const Access = oneOf(TOKEN_ACCESS, {
  read: 'sees what is in its namespaces',
  write: 'changes it, too',
  administrator: 'does everything, also what concerns the node as a whole',
})

const fields = {
  uuid: Type.String(),
  name: Type.String(),
  access: Access,
  namespaces: Type.Array(Type.String(), { description: 'it is for these and all below them; empty: for all' }),
  created_at: Type.String(),
  expires_at: Type.String(),
}

export const Token = Type.Object(fields, { ...closed, title: 'Token' })
export type Token = Static<typeof Token>

/** The only document with the secret of a token. */
export const MadeToken = Type.Object(
  { ...fields, token: Type.String({ description: 'the secret; it is not shown again' }) },
  { ...closed, title: 'MadeToken' },
)
export type MadeToken = Static<typeof MadeToken>

const DAY_MS = 24 * 60 * 60 * 1000
export const DEFAULT_LIFETIME_MS = 90 * DAY_MS
export const MAX_LIFETIME_MS = 366 * DAY_MS

/** POST /v1/tokens */
export const TokenDraft = Type.Object(
  {
    name: Type.String(),
    access: Access,
    namespaces: Type.Optional(
      Type.Array(Type.String(), { maxItems: 100, description: 'required, unless it is for an administrator' }),
    ),
    lifetime_ms: Type.Optional(
      Type.Integer({
        minimum: 1000,
        maximum: MAX_LIFETIME_MS,
        description: 'after which it expires; default: 90 days, at most 366 days',
      }),
    ),
  },
  { ...closed, title: 'TokenDraft' },
)
export type TokenDraft = Static<typeof TokenDraft>
