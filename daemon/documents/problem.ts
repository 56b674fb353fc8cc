import { Type, type Static } from 'typebox'

/** RFC 9457; `code` is stable. */
export const Problem = Type.Object(
  { type: Type.String(), title: Type.String(), status: Type.Integer(), detail: Type.String(), code: Type.String() },
  { title: 'Problem' },
)
export type Problem = Static<typeof Problem>
