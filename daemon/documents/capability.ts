import { Type, type Static } from 'typebox'
import { CAPABILITY_TYPES } from '../packages/metadata.js'
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
