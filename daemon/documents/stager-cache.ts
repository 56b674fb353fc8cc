import { Type, type Static } from 'typebox'
import { closed } from './schema.js'

/** What is kept for a stager from one staging of a package to the next. */
export const StagerCache = Type.Object(
  {
    package: Type.String({ description: 'full name' }),
    stager: Type.String({ description: 'full name' }),
    bytes: Type.Integer(),
    used_at: Type.String({ description: 'when a launch last began with it' }),
    in_use: Type.Boolean({ description: 'whether a launch has it' }),
  },
  { ...closed, title: 'StagerCache' },
)
export type StagerCache = Static<typeof StagerCache>
