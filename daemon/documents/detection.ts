import { Type, type Static } from 'typebox'
import { closed } from './schema.js'

const FileName = Type.String({ minLength: 1, maxLength: 1024, description: 'at the top of the source' })

const WANTED = {
  name: FileName,
  member: Type.Optional(
    Type.String({ maxLength: 1024, description: 'an entry of the file, which is a zip; not there: the file itself' }),
  ),
}

/** In characters. More of a file is not looked at. */
export const EXCERPT_CHARACTERS = 32_768

/** POST /v1/detections */
export const DetectionQuestion = Type.Object(
  {
    namespace: Type.Optional(
      Type.String({ description: 'where pipelines are looked for first, before /apcera; default: /' }),
    ),
    names: Type.Array(FileName, {
      maxItems: 100_000,
      description: 'what lies at the top of the source, without what is not uploaded; a directory ends with /',
    }),
    excerpts: Type.Optional(
      Type.Array(
        Type.Object(
          {
            ...WANTED,
            text: Type.String({
              maxLength: EXCERPT_CHARACTERS,
              description: 'the beginning of the content as text; empty where there is none, or it cannot be read',
            }),
          },
          closed,
        ),
        { maxItems: 1000, description: 'what an answer before this question wanted' },
      ),
    ),
  },
  { ...closed, title: 'DetectionQuestion' },
)
export type DetectionQuestion = Static<typeof DetectionQuestion>

export const DetectionCandidate = Type.Object(
  {
    name: Type.String({ description: 'local name of the pipeline' }),
    pipeline: Type.Optional(Type.String({ description: 'FQN; not there for a standard pipeline that does not exist' })),
    verdict: Type.Union([Type.Literal('taken'), Type.Literal('passed over')]),
    fits: Type.Boolean({ description: 'a sign of it is there' }),
    reason: Type.String({ description: 'follows "because"' }),
    found: Type.Array(Type.String(), { description: 'entries that are signs of it; the first few' }),
    signs: Type.Array(Type.String(), { description: 'patterns of its signs; its own come first' }),
  },
  { ...closed, title: 'DetectionCandidate' },
)
export type DetectionCandidate = Static<typeof DetectionCandidate>

export const Detection = Type.Object(
  {
    namespace: Type.String(),
    pipeline: Type.Optional(
      Type.String({
        description: 'FQN of the pipeline to use; not there where none fits, or the one that fits does not exist',
      }),
    ),
    candidates: Type.Array(DetectionCandidate, { description: 'in their order: the first that fits is taken' }),
    wanted: Type.Array(Type.Object({ ...WANTED, characters: Type.Integer({ description: 'at most' }) }, closed), {
      description:
        'excerpts that could change the answer: ask again with them, and with those of the question, until none is wanted',
    }),
  },
  { ...closed, title: 'Detection' },
)
export type Detection = Static<typeof Detection>
