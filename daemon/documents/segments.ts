import { Type, type Static } from 'typebox'
import { closed } from './schema.js'

/** As many as an archive of the largest size has, and some more. */
export const MOST_SEGMENTS = 200_000

/** POST /v1/packages/{ref}/source/lacking */
export const SegmentList = Type.Object(
  {
    segments: Type.Array(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256, in hexadecimal' }), {
      maxItems: MOST_SEGMENTS,
      description: 'the segments of a packed source, in order',
    }),
  },
  { ...closed, title: 'SegmentList' },
)
export type SegmentList = Static<typeof SegmentList>

/** Its response. */
export const LackingSegments = Type.Object(
  {
    lacking: Type.Array(Type.Integer(), {
      description: 'positions, from 0, of the segments that no earlier source of the package has',
    }),
  },
  { ...closed, title: 'LackingSegments' },
)
export type LackingSegments = Static<typeof LackingSegments>
