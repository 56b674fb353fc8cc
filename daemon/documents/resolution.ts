import { Type, type Static } from 'typebox'
import { Capabilities, Capability } from './capability.js'
import { closed } from './schema.js'

/** POST /v1/packages/resolution: resolves the dependencies of a package, others, or both. */
export const ResolutionQuestion = Type.Object(
  {
    package: Type.Optional(Type.String({ description: 'ref; its dependencies come first' })),
    dependencies: Type.Optional(Capabilities),
    namespace: Type.Optional(
      Type.String({ description: 'of the job whose policy applies; default: that of the package, or /' }),
    ),
  },
  { ...closed, title: 'ResolutionQuestion' },
)
export type ResolutionQuestion = Static<typeof ResolutionQuestion>

export const Resolution = Type.Object(
  {
    subject: Type.String({ description: 'what the dependencies belong to' }),
    namespace: Type.String({ description: 'of the job whose policy applied' }),
    packages: Type.Array(Type.Object({ uuid: Type.String(), fqn: Type.String() }, closed), {
      description: 'operating system first, then each package after its dependencies',
    }),
    decisions: Type.Array(
      Type.Object(
        {
          dependency: Capability,
          needed_by: Type.String({ description: 'FQN of a package, or the subject' }),
          candidates: Type.Array(
            Type.Object(
              {
                package: Type.String({ description: 'FQN' }),
                verdict: Type.Union([Type.Literal('taken'), Type.Literal('refused'), Type.Literal('passed over')]),
                reason: Type.String({ description: 'follows "because"' }),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
    ),
    explanation: Type.Array(Type.String(), { description: 'the decisions as readable lines' }),
  },
  { ...closed, title: 'Resolution' },
)
export type Resolution = Static<typeof Resolution>
