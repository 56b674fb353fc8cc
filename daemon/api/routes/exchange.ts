import { Type, type Static } from 'typebox'
import { BadInput } from '../../../base/errors.js'
import { assertNamespace, formatFqn, parseFqn, quote, type FqnKind } from '../../../base/fqn.js'
import { maySee } from '../../access/caller.js'
import type { Exporter } from '../../exchange/export.js'
import type { Importer, ImportRequest } from '../../exchange/import.js'
import { CAPABILITY_TYPES, type Capability } from '../../packages/metadata.js'
import type { Name, Outcome } from '../../store/exchange-repository.js'
import { ImportReport, type Imported } from '../../documents/exchange.js'
import { puttingInto, readingAll, reads, writes } from '../access.js'
import type { Api } from '../fastify.js'
import { lingerOnRefusal } from '../linger.js'
import { parseRef } from '../parse-ref.js'
import { streamSignal } from '../stream-signal.js'
import { uploadBody } from '../upload-body.js'
import { REFUSALS, streamed } from './schemas.js'

const tags = ['exchange']
const refs = (description: string) => Type.Optional(Type.Array(Type.String({ description })))

const ExportQuery = Type.Object(
  {
    package: refs('ref'),
    pipeline: refs('ref; includes its stagers and their packages'),
    with_dependencies: Type.Optional(Type.Boolean({ description: 'include all dependencies' })),
  },
  { additionalProperties: false },
)

const ImportQuery = Type.Object(
  {
    existing: Type.Optional(
      Type.Union([Type.Literal('refuse'), Type.Literal('override'), Type.Literal('skip'), Type.Literal('renew')], {
        description:
          'what to do with names that exist already; renew: replace what stagerd has made from another recipe, and keep the rest; default: refuse',
      }),
    ),
    namespace: Type.Optional(Type.String({ description: 'import everything into this namespace' })),
    name: Type.Optional(Type.String({ description: 'FQN of the package of a file without a manifest' })),
    provides: refs('type.name; of the package of a file without a manifest'),
    depends_on: refs('type.name; of the package of a file without a manifest'),
  },
  { additionalProperties: false },
)

/** Only for OpenAPI: the handler reads the body itself. */
const File = {
  description: 'the result of GET, or a ZIP file with one resource',
  content: {
    'application/zip': { schema: Type.Unknown() },
    'application/octet-stream': { schema: Type.Unknown() },
  },
}

export interface ExchangeRoutesParts {
  readonly exporter: Pick<Exporter, 'export'>
  readonly importer: Pick<Importer, 'import'>
}

/** Exports and imports packages, stagers and pipelines as one file. */
export function exchangeRoutes(api: Api, { exporter, importer }: ExchangeRoutesParts, closing: AbortSignal): void {
  api.removeAllContentTypeParsers()
  for (const type of ['application/zip', 'application/octet-stream'])
    api.addContentTypeParser(type, (_request, _payload, done) => done(null))

  api.get(
    '/v1/exchange',
    {
      access: reads(({ query }: { query: Static<typeof ExportQuery> }) => [
        ...readingAll('package', query.package),
        ...readingAll('stagpipe', query.pipeline),
      ]),
      schema: {
        operationId: 'exportSet',
        tags,
        querystring: ExportQuery,
        response: { 200: streamed('a ZIP file', 'application/zip'), ...REFUSALS },
      },
      // A HEAD request would open a stream that nobody reads.
      exposeHeadRoute: false,
    },
    async ({ query, caller }, reply) => {
      const { package: packages = [], pipeline: pipelines = [], with_dependencies: withDependencies = false } = query
      if (packages.length + pipelines.length === 0)
        throw new BadInput('nothing-to-export', 'There is nothing to export: give a "package" or a "pipeline".')
      const request = {
        packages: packages.map((ref) => parseRef(ref, 'package')),
        pipelines: pipelines.map((ref) => parseRef(ref, 'stagpipe')),
        withDependencies,
        maySee: (namespace: string) => maySee(caller, namespace),
      }
      const { stream, length } = await exporter.export(request, streamSignal(reply, closing))
      return reply.type('application/zip').header('content-length', length).send(stream)
    },
  )

  api.post(
    '/v1/exchange',
    {
      access: writes(({ query }: { query: Static<typeof ImportQuery> }) => [puttingInto(placeOf(query))]),
      schema: {
        operationId: 'importSet',
        tags,
        querystring: ImportQuery,
        body: File,
        response: { 201: ImportReport, ...REFUSALS },
      },
    },
    async ({ raw, query, caller }, reply) => {
      lingerOnRefusal(raw, reply)
      const request: ImportRequest = {
        whenThere: query.existing ?? 'refuse',
        namespace: query.namespace,
        bare: barePackage(query),
        maySee: (namespace) => maySee(caller, namespace),
      }
      if (request.namespace !== undefined) assertNamespace(request.namespace)
      const body = uploadBody(raw)
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

/** Without a namespace, the file says into which ones it goes: so somebody must be asked who may change all of them. */
function placeOf({ namespace, name }: Static<typeof ImportQuery>): string {
  return namespace ?? (name === undefined ? '/' : parseFqn(name, 'package', '/').namespace)
}

interface BareQuery {
  readonly name?: string
  readonly provides?: readonly string[]
  readonly depends_on?: readonly string[]
}

function barePackage({ name, provides = [], depends_on: dependsOn = [] }: BareQuery): ImportRequest['bare'] {
  if (name === undefined) {
    if (provides.length + dependsOn.length > 0)
      throw new BadInput('bad-document', '"provides" and "depends_on" belong to a package: give its "name", too.')
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

/** `type.name`; the name may contain dots. */
function parseCapability(text: string): Capability {
  const dot = text.indexOf('.')
  const type = CAPABILITY_TYPES.find((one) => one === text.slice(0, dot))
  if (type === undefined)
    throw new BadInput(
      'bad-capability',
      `${quote(text)} is not a capability: use type.name, where the type is one of ${CAPABILITY_TYPES.join(', ')}.`,
    )
  return { type, name: text.slice(dot + 1) }
}

function rendered(
  kind: FqnKind,
  { document, outcome }: { readonly document: Name & { readonly uuid: string }; readonly outcome: Outcome },
): Imported {
  return { fqn: formatFqn(kind, document), uuid: document.uuid, outcome }
}
