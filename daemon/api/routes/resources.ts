import { Type } from 'typebox'
import { BadInput, TooLarge } from '../../../base/errors.js'
import { assertNamespace, quote } from '../../../base/fqn.js'
import { isSha256 } from '../../../base/identifiers.js'
import { RequestBody } from '../../http/request-body.js'
import { overQuota } from '../../store/package-quota.js'
import { UploadedResource } from '../../documents/package.js'
import { StoredResource } from '../../documents/exchange.js'
import type { Routes } from '../fastify.js'
import { lingerOnRefusal } from '../linger.js'
import { storedResource } from '../stored-resource.js'
import { streamSignal } from '../stream-signal.js'
import { NoQuery, REFUSALS } from './schemas.js'

const tags = ['packages']

const ResourceQuery = Type.Object(
  {
    sha256: Type.Optional(Type.String({ description: 'of the body, in hexadecimal; checked when given' })),
    namespace: Type.Optional(
      Type.String({ description: 'of the package that it is for, whose quota then holds; / when left out' }),
    ),
  },
  { additionalProperties: false },
)

/** For OpenAPI alone: nothing of a body has been read when the route begins. */
const Tarball = {
  description: 'a tarball, plain or compressed by gzip, bzip2, xz or zstd',
  content: { 'application/octet-stream': { schema: Type.Unknown() } },
}

const DigestPath = Type.Object({ sha256: Type.String() }, { additionalProperties: false })

/**
 * Uploads. The body is never held in memory, and nothing of it is visible before it is whole, accepted and durable.
 * There is no limit on how long it takes, as long as it moves.
 *
 * What was uploaded need not be sent again: ask for it by its digest first. From then on it is as good as just uploaded,
 * and so safe from the collection of garbage until a package names it.
 */
export const resourceRoutes: Routes = (api, { parts: { blobs, ingest, quota, defaults }, closing }) => {
  // Nothing but this: a document here is a mistake.
  api.removeAllContentTypeParsers()
  api.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null))

  api.get(
    '/v1/resources/:sha256',
    { schema: { tags, params: DigestPath, querystring: NoQuery, response: { 200: StoredResource, ...REFUSALS } } },
    async ({ params }) => {
      const { sha256, length, compression } = await storedResource(blobs, digestOf(params.sha256))
      return { sha256, length, compression }
    },
  )

  api.post(
    '/v1/resources',
    {
      schema: {
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
      const sha256 = query.sha256 === undefined ? undefined : digestOf(query.sha256)
      const contentLength = headers['content-length']
      const length = contentLength === undefined ? undefined : Number(contentLength)
      if (length !== undefined) await quota.assert(namespace, length)
      const maxBytes = await quota.of(namespace)
      const body = new RequestBody(raw, { bytes: 1, windowMs: defaults.uploadStallMs })
      try {
        const expected = { sha256, length, maxBytes }
        const { resource, entries } = await ingest.receive(body, expected, streamSignal(reply, closing))
        const { compression } = resource
        return await reply.code(201).send({ sha256: resource.sha256, length: resource.length, compression, entries })
      } catch (error) {
        if (body.fault) throw body.fault
        throw error instanceof TooLarge && error.code === 'blob-too-large' ? overQuota(namespace, maxBytes) : error
      }
    },
  )
}

function digestOf(text: string): string {
  const digest = text.toLowerCase()
  if (!isSha256(digest))
    throw new BadInput('bad-digest', `${quote(text)} is not a SHA-256: it has 64 hexadecimal digits.`)
  return digest
}
