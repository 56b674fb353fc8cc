import { Type, type Static } from 'typebox'
import { closed } from './schema.js'

const SIGNS =
  'its own signs: names at the top of a source for which it is meant, where * stands for any characters; a directory ends with /. POST /v1/detections looks for them'
const Signs = Type.Optional(Type.Array(Type.String(), { maxItems: 1000, description: SIGNS }))

export const Pipeline = Type.Object(
  {
    uuid: Type.String(),
    fqn: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    stagers: Type.Array(Type.String(), { description: 'FQNs, in order of execution' }),
    signs: Type.Array(Type.String(), { description: SIGNS }),
    created_at: Type.String(),
    updated_at: Type.String(),
  },
  { ...closed, title: 'Pipeline' },
)
export type Pipeline = Static<typeof Pipeline>

/** POST /v1/stagingpipelines: either `stagers`, or the pipeline to `clone`. */
export const PipelineDraft = Type.Object(
  {
    namespace: Type.String(),
    name: Type.String(),
    stagers: Type.Optional(Type.Array(Type.String(), { minItems: 1, description: 'refs of stagers' })),
    clone: Type.Optional(
      Type.String({ description: 'ref of a pipeline; its signs are cloned too, unless signs are given' }),
    ),
    signs: Signs,
  },
  { ...closed, title: 'PipelineDraft' },
)
export type PipelineDraft = Static<typeof PipelineDraft>

/** PATCH /v1/stagingpipelines/{ref} */
export const PipelineChange = Type.Object(
  {
    append: Type.Optional(Type.Array(Type.String(), { description: 'refs of stagers' })),
    prepend: Type.Optional(Type.Array(Type.String(), { description: 'refs of stagers' })),
    remove: Type.Optional(
      Type.Object(
        {
          stager: Type.String({ description: 'ref' }),
          position: Type.Optional(
            Type.Integer({
              minimum: 1,
              description: 'from 1; required for a stager that the pipeline has several times',
            }),
          ),
        },
        { ...closed, description: 'taken out before others are added; the last stager cannot be removed' },
      ),
    ),
    signs_add: Signs,
    signs_remove: Signs,
  },
  { ...closed, title: 'PipelineChange' },
)
export type PipelineChange = Static<typeof PipelineChange>
