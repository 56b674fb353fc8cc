import { Type } from 'typebox'
import { BadInput } from '../../../base/errors.js'
import { assertNamespace, formatFqn, parseFqn, quote, type FqnKind } from '../../../base/fqn.js'
import type { ImportRequest } from '../../exchange/import.js'
import { RequestBody } from '../../http/request-body.js'
import { CAPABILITY_TYPES, type Capability } from '../../packages/metadata.js'
import type { Name, Outcome } from '../../store/exchange-repository.js'
import { ImportReport, type Imported } from '../../documents/exchange.js'
import type { Routes } from '../fastify.js'
import { lingerOnRefusal } from '../linger.js'
import { parseRef } from '../parse-ref.js'
import { streamSignal } from '../stream-signal.js'
import { REFUSALS, streamed } from './schemas.js'

const tags = ['exchange']
const refs = (description: string) => Type.Optional(Type.Array(Type.String({ description })))

const ExportQuery = Type.Object(
  {
    package: refs('ref'),
    pipeline: refs('ref; with its stagers and their packages'),
    with_dependencies: Type.Optional(Type.Boolean({ description: 'with all that they need' })),
  },
  { additionalProperties: false },
)

const ImportQuery = Type.Object(
  {
    existing: Type.Optional(
      Type.Union([Type.Literal('refuse'), Type.Literal('override'), Type.Literal('skip')], {
        description: 'what becomes of names that are taken; refuse when left out',
      }),
    ),
    namespace: Type.Optional(Type.String({ description: 'all of it goes there, whatever the file says' })),
    name: Type.Optional(Type.String({ description: 'FQN of the package of a file without a manifest' })),
    provides: refs('type.name; of the package of a file without a manifest'),
    depends_on: refs('type.name; of the package of a file without a manifest'),
  },
  { additionalProperties: false },
)

/** For OpenAPI alone: nothing of a body has been read when the route begins. */
const File = {
  description: 'what GET gives, or a ZIP file with one resource',
  content: {
    'application/zip': { schema: Type.Unknown() },
    'application/octet-stream': { schema: Type.Unknown() },
  },
}

/** Packages, stagers and pipelines from one daemon to another, as one file. */
export const exchangeRoutes: Routes = (api, { parts: { exporter, importer, defaults }, closing }) => {
  api.removeAllContentTypeParsers()
  for (const type of ['application/zip', 'application/octet-stream'])
    api.addContentTypeParser(type, (_request, _payload, done) => done(null))

  api.get(
    '/v1/exchange',
    {
      schema: {
        tags,
        querystring: ExportQuery,
        response: { 200: streamed('a ZIP file', 'application/zip'), ...REFUSALS },
      },
      // A HEAD would open what nobody reads.
      exposeHeadRoute: false,
    },
    async ({ query }, reply) => {
      const { package: packages = [], pipeline: pipelines = [], with_dependencies: withDependencies = false } = query
      if (packages.length + pipelines.length === 0)
        throw new BadInput('nothing-to-export', 'Nothing to export was named: give a "package" or a "pipeline".')
      const { stream, length } = await exporter.export({
        packages: packages.map((ref) => parseRef(ref, 'package')),
        pipelines: pipelines.map((ref) => parseRef(ref, 'stagpipe')),
        withDependencies,
      })
      return reply.type('application/zip').header('content-length', length).send(stream)
    },
  )

  api.post(
    '/v1/exchange',
    {
      schema: {
        tags,
        querystring: ImportQuery,
        body: File,
        response: { 201: ImportReport, ...REFUSALS },
      },
    },
    async ({ raw, query }, reply) => {
      lingerOnRefusal(raw, reply)
      const request: ImportRequest = {
        whenThere: query.existing ?? 'refuse',
        namespace: query.namespace,
        bare: barePackage(query),
      }
      if (request.namespace !== undefined) assertNamespace(request.namespace)
      const body = new RequestBody(raw, { bytes: 1, windowMs: defaults.uploadStallMs })
      try {
        const { packages, stagers, pipelines } = await importer.import(body, request, streamSignal(reply, closing))
        return await reply.code(201).send({
          packages: packages.map((one) => rendered('package', one)),
          stagers: stagers.map((one) => rendered('job', one)),
          pipelines: pipelines.map((one) => rendered('stagpipe', one)),
        })
      } catch (error) {
        throw body.fault ?? error
      } finally {
        body.destroy()
      }
    },
  )
}

interface BareQuery {
  readonly name?: string
  readonly provides?: readonly string[]
  readonly depends_on?: readonly string[]
}

function barePackage({ name, provides = [], depends_on: dependsOn = [] }: BareQuery): ImportRequest['bare'] {
  if (name === undefined) {
    if (provides.length + dependsOn.length > 0)
      throw new BadInput('bad-document', 'What is provided and depended on belongs to a package: give its "name", too.')
    return undefined
  }
  const fqn = parseFqn(name, 'package', '/')
  return {
    namespace: fqn.namespace,
    name: fqn.name,
    provides: provides.map(parseCapability),
    dependencies: dependsOn.map(parseCapability),
  }
}

/** `type.name`; the name may have dots of its own. */
function parseCapability(text: string): Capability {
  const dot = text.indexOf('.')
  const type = CAPABILITY_TYPES.find((one) => one === text.slice(0, dot))
  if (type === undefined)
    throw new BadInput(
      'bad-capability',
      `${quote(text)} cannot be provided or depended on: write type.name, where the type is one of ${CAPABILITY_TYPES.join(', ')}.`,
    )
  return { type, name: text.slice(dot + 1) }
}

function rendered(
  kind: FqnKind,
  { document, outcome }: { readonly document: Name & { readonly uuid: string }; readonly outcome: Outcome },
): Imported {
  const { namespace, name, uuid } = document
  return { fqn: formatFqn({ kind, namespace, name }), uuid, outcome }
}
