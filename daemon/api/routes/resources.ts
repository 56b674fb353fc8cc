import { Type } from 'typebox'
import { BadInput, TooLarge } from '../../../base/errors.js'
import { quote } from '../../../base/fqn.js'
import { isSha256 } from '../../../base/identifiers.js'
import { RequestBody } from '../../http/request-body.js'
import { UploadedResource } from '../documents.js'
import type { Routes } from '../fastify.js'
import { streamSignal } from '../stream-signal.js'
import { REFUSALS } from './schemas.js'

const ResourceQuery = Type.Object(
  { sha256: Type.Optional(Type.String({ description: 'of the body, in hexadecimal; checked when given' })) },
  { additionalProperties: false },
)

/** For OpenAPI alone: nothing of a body has been read when the route begins. */
const Tarball = {
  description: 'a tarball, plain or compressed by gzip, bzip2, xz or zstd',
  content: { 'application/octet-stream': { schema: Type.Unknown() } },
}

/** How long a client that was refused may go on sending before its connection is cut, in milliseconds. */
const LINGER_MS = 10_000

/**
 * Uploads. The body is never held in memory, and nothing of it is visible before it is whole, accepted and durable.
 * There is no limit on how long it takes, as long as it moves.
 */
export const resourceRoutes: Routes = (api, { parts: { intake, defaults }, closing }) => {
  // Nothing but this: a document here is a mistake.
  api.removeAllContentTypeParsers()
  api.addContentTypeParser('application/octet-stream', (_request, _payload, done) => done(null))

  api.post(
    '/v1/resources',
    {
      schema: {
        tags: ['packages'],
        querystring: ResourceQuery,
        body: Tarball,
        response: { 201: UploadedResource, ...REFUSALS },
      },
    },
    async ({ raw, query, headers }, reply) => {
      // Refused or not, what is left of the body is read and dropped: a connection that is closed on a client that is
      // still sending may be reset before the client has read why.
      reply.raw.once('finish', () => {
        if (raw.complete) return
        const cut = setTimeout(() => raw.destroy(), LINGER_MS).unref()
        raw.once('close', () => clearTimeout(cut)).resume()
      })
      const expected = expectedOf(query.sha256, headers['content-length'], defaults.maxResourceBytes)
      const body = new RequestBody(raw, { paceMs: defaults.uploadStallMs, paceBytes: 1 })
      try {
        const { resource, entries } = await intake.receive(body, expected, streamSignal(reply, closing))
        const { sha256, length, compression } = resource
        return await reply.code(201).send({ sha256, length, compression, entries })
      } catch (error) {
        throw body.fault ?? error
      }
    },
  )
}

function expectedOf(sha256: string | undefined, contentLength: string | undefined, maxBytes: number) {
  if (sha256 !== undefined && !isSha256(sha256.toLowerCase()))
    throw new BadInput('bad-digest', `${quote(sha256)} is not a SHA-256: it has 64 hexadecimal digits.`)
  const length = contentLength === undefined ? undefined : Number(contentLength)
  if (length !== undefined && length > maxBytes)
    throw new TooLarge('blob-too-large', `The data has ${length} bytes, where at most ${maxBytes} are allowed.`)
  return { sha256: sha256?.toLowerCase(), length }
}
