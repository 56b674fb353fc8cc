import { Type, type Static } from 'typebox'
import { closed } from './schema.js'

export const Policy = Type.Object(
  {
    uuid: Type.String(),
    fqn: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    version: Type.Integer({ minimum: 1 }),
    text: Type.String({ description: 'text of the newest version' }),
    created_at: Type.String(),
    updated_at: Type.String(),
  },
  { ...closed, title: 'Policy' },
)
export type Policy = Static<typeof Policy>

const PolicySource = Type.String({ maxLength: 1_048_576, description: 'docs/policy.md describes the language' })

/** POST /v1/policies */
export const PolicyDraft = Type.Object(
  { namespace: Type.String(), name: Type.String(), text: PolicySource },
  { ...closed, title: 'PolicyDraft' },
)
export type PolicyDraft = Static<typeof PolicyDraft>

/** PUT /v1/policies/{ref}: creates the policy, or its next version. */
export const PolicyText = Type.Object({ text: PolicySource }, { ...closed, title: 'PolicyText' })
export type PolicyText = Static<typeof PolicyText>

/** GET /v1/policies/{ref}/versions, oldest first */
export const PolicyVersion = Type.Object(
  { version: Type.Integer({ minimum: 1 }), text: Type.String(), created_at: Type.String() },
  { ...closed, title: 'PolicyVersion' },
)
export type PolicyVersion = Static<typeof PolicyVersion>
