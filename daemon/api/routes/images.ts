import { PassThrough, type Readable } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import { assertLocalName, assertNamespace } from '../../../base/fqn.js'
import type { ImagePackageRequest, ImagePackages, MadeOfImage } from '../../images/image-packages.js'
import { assertImageReference } from '../../packages/image-reference.js'
import { absolutePath } from '../../packages/build-script/script-paths.js'
import { assertMetadata } from '../../packages/validate.js'
import { applyMetadataFields } from '../../packages/metadata-fields.js'
import { ImageEvent, ImagePackageDraft } from '../../documents/image.js'
import { Package } from '../../documents/package.js'
import { ADMINISTRATORS } from '../access.js'
import type { Api } from '../fastify.js'
import { problemOf } from '../problems.js'
import { renderPackage } from '../render-package.js'
import { streamSignal } from '../stream-signal.js'
import { NoQuery, REFUSALS, streamed } from './schemas.js'

export interface ImageRoutesParts {
  readonly images: Pick<ImagePackages, 'make'>
}

const EVENTS = 'application/x-ndjson'

/** Between two events of progress, in milliseconds. */
const PROGRESS_MS = 250

export function imageRoutes(api: Api, { images }: ImageRoutesParts, closing: AbortSignal): void {
  api.post(
    '/v1/images/packages',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'createPackageFromImage',
        tags: ['packages'],
        description: `Make a package of the content of a Docker image. It waits for the pull of the image, which ends when the client disconnects. A client that accepts ${EVENTS} hears of the progress.`,
        querystring: NoQuery,
        body: ImagePackageDraft,
        response: { 200: streamed('one ImageEvent per line', EVENTS, ImageEvent), 201: Package, ...REFUSALS },
      },
    },
    async ({ body, headers, log }, reply) => {
      const request = requestOf(body)
      const signal = streamSignal(reply, closing)
      if (headers.accept?.includes(EVENTS) === true)
        return reply
          .header('content-type', EVENTS)
          .header('cache-control', 'no-store')
          .send(eventsOf((tell) => images.make(request, signal, tell), log))
      const { package: made } = await images.make(request, signal)
      return reply.code(201).header('location', `/v1/packages/${made.uuid}`).send(renderPackage(made))
    },
  )
}

function requestOf(draft: ImagePackageDraft): ImagePackageRequest {
  const { image, leave_out: paths = [], namespace, name, state = 'ready', version, description } = draft
  const { dependencies = [], provides = [], environment = {} } = draft
  assertImageReference(image)
  assertNamespace(namespace)
  assertLocalName(name)
  const leaveOut = paths.map(absolutePath)
  assertMetadata({ dependencies, provides, environment })
  const metadata = applyMetadataFields(
    {},
    { provides_add: provides, dependencies_add: dependencies, environment_set: environment },
  )
  return { image, leaveOut, namespace, name, metadata, state, version, description }
}

type Tell = NonNullable<Parameters<ImagePackages['make']>[2]>

/** The status is sent before the work begins, so an error is the last event. */
function eventsOf(work: (tell: Tell) => Promise<MadeOfImage>, log: Pick<FastifyBaseLogger, 'error'>): Readable {
  const stream = new PassThrough()
  stream.on('error', () => undefined)
  const write = (event: ImageEvent) => {
    if (!stream.destroyed) stream.write(`${JSON.stringify(event)}\n`)
  }
  let told = 0
  const tell: Tell = (phase, bytes) => {
    const now = performance.now()
    if (now - told < PROGRESS_MS) return
    told = now
    write({ event: 'progress', phase, bytes })
  }
  void work(tell)
    .then(
      ({ package: made, image, user, exposed }) =>
        write({ event: 'made', package: renderPackage(made), image, user, exposed: [...exposed] }),
      (error: unknown) => {
        const problem = problemOf(error)
        if (problem.status === 500) log.error({ err: error }, 'a package of an image could not be made')
        write({ event: 'failed', problem })
      },
    )
    .finally(() => stream.end())
  return stream
}
