import { Type, type Static } from 'typebox'
import { TooLarge } from '../../../base/errors.js'
import { assertNamespace } from '../../../base/fqn.js'
import type { RecentUploads } from '../../access/recent-uploads.js'
import type { ResourceIngest } from '../../store/resource-ingest.js'
import { overQuota, type PackageQuota } from '../../store/package-quota.js'
import { UploadedResource } from '../../documents/package.js'
import { StoredResource } from '../../documents/exchange.js'
import { puttingInto, reading, reads, writes } from '../access.js'
import type { Api } from '../fastify.js'
import { lingerOnRefusal } from '../linger.js'
import { parseDigest } from '../parse-digest.js'
import { streamSignal } from '../stream-signal.js'
import { uploadBody } from '../upload-body.js'
import { NoQuery, REFUSALS } from './schemas.js'

const tags = ['packages']

const ResourceQuery = Type.Object(
  {
    sha256: Type.Optional(Type.String({ description: 'of the body, in hexadecimal; verified if given' })),
    namespace: Type.Optional(
      Type.String({ description: 'of the package that it is for, which decides on the quota; default: /' }),
    ),
  },
  { additionalProperties: false },
)

/** Only for OpenAPI: the handler reads the body itself. */
const Tarball = {
  description:
    'a tarball, plain or compressed with gzip, bzip2, xz or zstd. If entries begin with ./ or /, it is stored with other names, and the answer has the digest of that',
  content: { 'application/octet-stream': { schema: Type.Unknown() } },
}

const DigestPath = Type.Object({ sha256: Type.String() }, { additionalProperties: false })

export interface ResourceRoutesParts {
  readonly ingest: Pick<ResourceIngest, 'receive' | 'reuse'>
  readonly quota: PackageQuota
  readonly uploads: Pick<RecentUploads, 'add'>
  /** For tests: see upload-body.ts. */
  readonly uploadStallMs?: number
}

/**
 * Uploads. A body is streamed, never held in memory, and visible only once it is complete, accepted and durable. An upload
 * may take any time as long as it makes progress.
 *
 * A client that asks for a resource by its digest first need not send it again: the question counts as an upload, so
 * garbage collection keeps the resource until a package refers to it.
 */
export function resourceRoutes(
  api: Api,
  { ingest, quota, uploads, uploadStallMs }: ResourceRoutesParts,
  closing: AbortSignal,
): void {
  // No other content type is accepted.
  api.removeAllContentTypeParsers()
  api.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null))

  api.get(
    '/v1/resources/:sha256',
    {
      access: reads(({ params }: { params: Static<typeof DigestPath> }) => [reading('resource', params.sha256)]),
      schema: {
        operationId: 'showResource',
        tags,
        params: DigestPath,
        querystring: NoQuery,
        response: { 200: StoredResource, ...REFUSALS },
      },
    },
    async ({ params }) => {
      const { sha256, length, compression } = await ingest.reuse(parseDigest(params.sha256))
      return { sha256, length, compression }
    },
  )

  api.post(
    '/v1/resources',
    {
      access: writes(({ query }: { query: Static<typeof ResourceQuery> }) => [puttingInto(query.namespace ?? '/')]),
      schema: {
        operationId: 'uploadResource',
        tags,
        querystring: ResourceQuery,
        body: Tarball,
        response: { 201: UploadedResource, ...REFUSALS },
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
      const body = uploadBody(raw, uploadStallMs)
      try {
        const expected = { sha256, length, maxBytes }
        const { resource, entries } = await ingest.receive(body, expected, streamSignal(reply, closing))
        const { compression } = resource
        uploads.add(resource.sha256, namespace)
        return await reply.code(201).send({ sha256: resource.sha256, length: resource.length, compression, entries })
      } catch (error) {
        if (body.fault) throw body.fault
        throw error instanceof TooLarge && error.code === 'blob-too-large' ? overQuota(namespace, maxBytes) : error
      }
    },
  )
}
