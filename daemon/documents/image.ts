import { Type, type Static } from 'typebox'
import { Package, PackageDraft } from './package.js'
import { Problem } from './problem.js'
import { closed } from './schema.js'

/** POST /v1/images/packages: makes a package from a Docker image. */
export const ImagePackageDraft = Type.Object(
  {
    image: Type.String({
      description: 'reference as Docker writes it, such as debian:12; pulled if the Engine does not have it',
    }),
    leave_out: Type.Optional(Type.Array(Type.String(), { description: 'absolute paths to leave out' })),
    ...Type.Omit(PackageDraft, ['templates', 'resource', 'state', 'manifest']).properties,
    state: Type.Optional(
      Type.Union([Type.Literal('uploaded'), Type.Literal('ready')], {
        description: 'uploaded for a package that is to be staged; default: ready',
      }),
    ),
  },
  { ...closed, title: 'ImagePackageDraft' },
)
export type ImagePackageDraft = Static<typeof ImagePackageDraft>

/** What a client hears that accepts application/x-ndjson. The last event is `made` or `failed`. */
export const ImageEvent = Type.Union(
  [
    Type.Object(
      {
        event: Type.Literal('progress'),
        phase: Type.Union([Type.Literal('pulling'), Type.Literal('storing')]),
        bytes: Type.Integer({ description: 'so far, compressed' }),
      },
      closed,
    ),
    Type.Object(
      {
        event: Type.Literal('made'),
        package: Package,
        image: Type.String({
          description: 'the image as NAME@DIGEST of its registry, or its id where no registry knows it',
        }),
        user: Type.String({ description: 'as whom the image runs; empty for root. A run of the package is of runner' }),
        exposed: Type.Array(Type.String(), { description: 'ports that the image documents, such as 80/tcp' }),
      },
      closed,
    ),
    Type.Object({ event: Type.Literal('failed'), problem: Problem }, closed),
  ],
  { title: 'ImageEvent' },
)
export type ImageEvent = Static<typeof ImageEvent>
export type MadeEvent = Extract<ImageEvent, { event: 'made' }>
