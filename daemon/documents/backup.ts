import { Type, type Static } from 'typebox'
import { closed } from './schema.js'

/** Response of POST /v1/node/restore. */
export const RestoreReport = Type.Object(
  {
    taken_at: Type.String({ description: 'when the backup was begun' }),
    node: Type.String({ description: 'UUID of the node that was backed up' }),
    version: Type.String({ description: 'of the stagerd that has made the backup' }),
    packages: Type.Integer(),
    stagers: Type.Integer(),
    pipelines: Type.Integer(),
    stagings: Type.Integer(),
    unfinished: Type.Integer({ description: 'stagings that had not ended, and continue' }),
    resources: Type.Integer({ description: 'how much data was restored, by digest' }),
    left_out: Type.Array(Type.Object({ sha256: Type.String(), why: Type.String() }, closed), {
      description: 'data that the backup lacks because the node had lost it',
    }),
  },
  { ...closed, title: 'RestoreReport' },
)
export type RestoreReport = Static<typeof RestoreReport>
