import { Type, type Static } from 'typebox'
import { CAPABILITY_TYPES } from '../packages/metadata.js'
import { METADATA_LIMITS } from '../packages/metadata-change.js'
import { closed, oneOf } from './schema.js'

export const CapabilityType = oneOf(CAPABILITY_TYPES)

export const Capability = Type.Object(
  {
    type: CapabilityType,
    name: Type.String({ minLength: 1, maxLength: 255 }),
  },
  { ...closed, title: 'Capability', description: 'What one package provides and another depends on.' },
)
export type Capability = Static<typeof Capability>

export const Template = Type.Object(
  { path: Type.String(), left_delimiter: Type.String(), right_delimiter: Type.String() },
  { ...closed, title: 'Template' },
)

/** Of one package. */
export const Capabilities = Type.Array(Capability, { maxItems: METADATA_LIMITS.provides })
export const capabilities = (description: string) =>
  Type.Array(Capability, { maxItems: METADATA_LIMITS.provides, description })
export const Templates = Type.Array(Template, { maxItems: METADATA_LIMITS.templates })
/** Names of variables. */
export const VariableNames = Type.Array(Type.String(), { maxItems: METADATA_LIMITS.environment })
