import { Type, type Static } from 'typebox'
import { GARBAGE_KINDS } from '../model/garbage.js'
import { closed, oneOf } from './schema.js'

/** POST /v1/node/gc */
export const GarbageRequest = Type.Object(
  {
    dry_run: Type.Optional(Type.Boolean({ description: 'only report what would be removed' })),
    older_than_ms: Type.Optional(Type.Integer({ minimum: 0, description: 'default: seven days' })),
    keep_bytes: Type.Optional(
      Type.Integer({
        minimum: 0,
        description:
          'how much to keep of unused blobs, layers, images and caches of stagers that are younger; default: all',
      }),
    ),
  },
  { ...closed, title: 'GarbageRequest' },
)
export type GarbageRequest = Static<typeof GarbageRequest>

const Kind = oneOf(GARBAGE_KINDS)

export const GarbageReport = Type.Object(
  {
    dry_run: Type.Boolean(),
    removed: Type.Array(
      Type.Object({ kind: Kind, id: Type.String(), bytes: Type.Integer(), used_at: Type.String() }, closed),
      { description: 'oldest first; with dry_run, what would be removed' },
    ),
    totals: Type.Array(Type.Object({ kind: Kind, count: Type.Integer(), bytes: Type.Integer() }, closed)),
  },
  { ...closed, title: 'GarbageReport' },
)
export type GarbageReport = Static<typeof GarbageReport>
