import { Type, type Static } from 'typebox'
import { TooLarge } from '../../../base/errors.js'
import { assertLocalName, assertNamespace } from '../../../base/fqn.js'
import type { RecentUploads } from '../../access/recent-uploads.js'
import { parseLimits } from '../../documents/convert-limits.js'
import { DropletRunDraft, UploadedDroplet } from '../../documents/droplet.js'
import { RunEvent } from '../../documents/run.js'
import type { DropletUploads } from '../../droplets/droplet-uploads.js'
import { assertCapability, assertEnvironment, assertEnvironmentValue } from '../../packages/validate.js'
import type { DropletRunRequest } from '../../runs/run.js'
import { overQuota, type PackageQuota } from '../../store/package-quota.js'
import { puttingInto, reading, writes } from '../access.js'
import type { Api } from '../fastify.js'
import { followedRun, parsePublish, type FollowedRunParts } from '../followed-run.js'
import { lingerOnRefusal } from '../linger.js'
import { parseDigest } from '../parse-digest.js'
import { streamSignal } from '../stream-signal.js'
import { uploadBody } from '../upload-body.js'
import { NoQuery, REFUSALS, streamed } from './schemas.js'

export interface DropletRunRoutesParts extends FollowedRunParts {
  readonly uploads: Pick<DropletUploads, 'receive'>
  readonly quota: PackageQuota
  readonly recent: Pick<RecentUploads, 'add'>
}

const DropletQuery = Type.Object(
  {
    sha256: Type.Optional(Type.String({ description: 'of the body, in hexadecimal; verified if given' })),
    namespace: Type.Optional(Type.String({ description: 'in which it is to run; its quota applies; default: /' })),
  },
  { additionalProperties: false },
)

/** Droplets that run in the foreground, as the older Cloud Foundry ran them. The rest of a run is that of a package. */
export function dropletRunRoutes(
  api: Api,
  { uploads, quota, recent, ...parts }: DropletRunRoutesParts,
  closing: AbortSignal,
): void {
  // The handler reads the body itself.
  api.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null))

  api.post(
    '/v1/droplets',
    {
      access: writes(({ query }: { query: Static<typeof DropletQuery> }) => [puttingInto(query.namespace ?? '/')]),
      schema: {
        operationId: 'uploadDroplet',
        tags: ['runs'],
        description: 'It is garbage when nothing runs it any more, after the grace period of all uploads.',
        querystring: DropletQuery,
        body: {
          description: 'a droplet: a tarball, plain or compressed with gzip, bzip2, xz or zstd',
          content: { 'application/octet-stream': { schema: Type.Unknown() } },
        },
        response: { 201: UploadedDroplet, ...REFUSALS },
      },
    },
    async ({ raw, query, headers }, reply) => {
      lingerOnRefusal(raw, reply)
      const { namespace = '/' } = query
      assertNamespace(namespace)
      const sha256 = query.sha256 === undefined ? undefined : parseDigest(query.sha256)
      const contentLength = headers['content-length']
      const length = contentLength === undefined ? undefined : Number(contentLength)
      if (length !== undefined) await quota.assert(namespace, length)
      const maxBytes = await quota.of(namespace)
      const body = uploadBody(raw)
      try {
        const received = await uploads.receive(body, { sha256, length, maxBytes }, streamSignal(reply, closing))
        recent.add(received.sha256, namespace)
        return await reply.code(201).send({ ...received, dependencies: [...received.dependencies] })
      } catch (error) {
        if (body.fault) throw body.fault
        throw error instanceof TooLarge && error.code === 'blob-too-large' ? overQuota(namespace, maxBytes) : error
      }
    },
  )

  api.post(
    '/v1/droplet-runs',
    {
      access: writes(({ body }: { body: DropletRunDraft }) => [
        puttingInto(body.namespace),
        reading('resource', body.droplet),
      ]),
      schema: {
        operationId: 'startDropletRun',
        tags: ['runs'],
        querystring: NoQuery,
        body: DropletRunDraft,
        response: { 200: streamed('one RunEvent per line', 'application/x-ndjson', RunEvent), ...REFUSALS },
      },
    },
    async ({ body }, reply) => {
      const events = await followedRun(parts, requestOf(body), streamSignal(reply, closing))
      return reply.header('content-type', 'application/x-ndjson').header('cache-control', 'no-store').send(events)
    },
  )
}

function requestOf(draft: DropletRunDraft): DropletRunRequest {
  const { name, namespace, dependencies, services = {}, environment = {}, allow_egress: egress = false, limits } = draft
  assertLocalName(name)
  assertNamespace(namespace)
  dependencies.forEach(assertCapability)
  assertEnvironment(environment)
  const vcapServices = JSON.stringify(services)
  assertEnvironmentValue('VCAP_SERVICES', vcapServices)
  return {
    ...{ droplet: parseDigest(draft.droplet), name, namespace, dependencies, environment, egress },
    services: vcapServices,
    publish: parsePublish(draft.publish),
    ...(limits === undefined ? {} : { limits: parseLimits(limits) }),
  }
}
