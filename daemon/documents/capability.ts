import { Type, type Static } from 'typebox'
import { closed } from './schema.js'

export const CapabilityType = Type.Union([
  Type.Literal('os'),
  Type.Literal('runtime'),
  Type.Literal('file'),
  Type.Literal('package'),
])

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
