import { assertLocalName, assertNamespace } from '../../../base/fqn.js'
import type { ImagePackages } from '../../images/image-packages.js'
import { assertImageReference } from '../../packages/image-reference.js'
import { assertAbsolutePath } from '../../packages/build-script/script-paths.js'
import { assertMetadata } from '../../packages/validate.js'
import { applyMetadataFields } from '../../packages/metadata-fields.js'
import { ImagePackageDraft } from '../../documents/build-script.js'
import { Package } from '../../documents/package.js'
import type { Api } from '../fastify.js'
import { renderPackage } from '../render-package.js'
import { streamSignal } from '../stream-signal.js'
import { NoQuery, REFUSALS } from './schemas.js'

export interface ImageRoutesParts {
  readonly images: Pick<ImagePackages, 'make'>
}

export function imageRoutes(api: Api, { images }: ImageRoutesParts, closing: AbortSignal): void {
  api.post(
    '/v1/images/packages',
    {
      schema: {
        operationId: 'createPackageFromImage',
        tags: ['packages'],
        description: 'Make a ready package of the content of a Docker image. It waits for the pull of the image.',
        querystring: NoQuery,
        body: ImagePackageDraft,
        response: { 201: Package, ...REFUSALS },
      },
    },
    async ({ body }, reply) => {
      const { image, leave_out: leaveOut = [], namespace, name, version, description } = body
      const { dependencies = [], provides = [], environment = {} } = body
      assertImageReference(image)
      assertNamespace(namespace)
      assertLocalName(name)
      leaveOut.forEach(assertAbsolutePath)
      assertMetadata({ dependencies, provides, environment })
      const metadata = applyMetadataFields(
        {},
        { provides_add: provides, dependencies_add: dependencies, environment_set: environment },
      )
      const request = { image, leaveOut, namespace, name, metadata, version, description }
      const made = await images.make(request, streamSignal(reply, closing))
      return reply.code(201).header('location', `/v1/packages/${made.uuid}`).send(renderPackage(made))
    },
  )
}
