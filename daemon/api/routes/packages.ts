import { Type, type Static } from 'typebox'
import { BadInput } from '../../../base/errors.js'
import { assertLocalName, assertNamespace, formatFqn, quote } from '../../../base/fqn.js'
import { withManifest, withStartCommandOf } from '../../packages/manifest/apply-manifest.js'
import { parseKeptManifest } from '../../packages/manifest/parse-manifest.js'
import { EMPTY_METADATA } from '../../packages/metadata.js'
import { assertMetadata, canonicalTemplate } from '../../packages/validate.js'
import { applyMetadataFields } from '../../packages/metadata-fields.js'
import type { ResourceIngest } from '../../store/resource-ingest.js'
import type { PackageQuota } from '../../store/package-quota.js'
import type { PackageRepository } from '../../store/repositories.js'
import { CapabilityType } from '../../documents/capability.js'
import {
  Package,
  PackageChange,
  PackageDraft,
  PackageReplacement,
  PackageResourceChange,
} from '../../documents/package.js'
import { lists, puttingInto, reading, readingAll, readsNamed, writes, writesNamed, writing } from '../access.js'
import type { Api } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import { renderPackage } from '../render-package.js'
import type { Verifications } from '../../verification/verifications.js'
import { NoQuery, Nothing, RefPath, REFUSALS } from './schemas.js'

const tags = ['packages']
const PackageQuery = Type.Object(
  {
    type: Type.Optional(CapabilityType),
    provides: Type.Optional(Type.String({ description: 'name of a capability that it provides' })),
    namespace: Type.Optional(Type.String({ description: 'this namespace and all below it' })),
  },
  { additionalProperties: false },
)

export interface PackageRoutesParts {
  readonly packages: PackageRepository
  readonly ingest: Pick<ResourceIngest, 'reuse'>
  readonly quota: PackageQuota
  readonly verifications?: Pick<Verifications, 'get'>
}

export function packageRoutes(api: Api, { packages, ingest, quota, verifications }: PackageRoutesParts): void {
  api.get(
    '/v1/packages',
    {
      access: lists(({ namespace }: Package) => namespace),
      schema: {
        operationId: 'listPackages',
        tags,
        querystring: PackageQuery,
        response: { 200: Type.Array(Package), ...REFUSALS },
      },
    },
    async ({ query }) => {
      if (query.namespace !== undefined) assertNamespace(query.namespace)
      return (await packages.list(query)).map((one) => renderPackage(one))
    },
  )

  api.post(
    '/v1/packages',
    {
      access: writes(({ body }: { body: PackageDraft }) => [
        puttingInto(body.namespace, formatFqn('package', body)),
        ...readingAll('resource', [body.resource]),
      ]),
      schema: {
        operationId: 'createPackage',
        tags,
        querystring: NoQuery,
        body: PackageDraft,
        response: { 201: Package, ...REFUSALS },
      },
    },
    async ({ body }, reply) => {
      assertNamespace(body.namespace)
      assertLocalName(body.name)
      const { namespace, name, provides = [], environment = {}, templates = [] } = body
      const given = withManifest(
        EMPTY_METADATA,
        withStartCommandOf(environment, parseKeptManifest(body.manifest ?? '')),
      )
      const dependencies = body.dependencies ?? given.dependencies
      const metadata = { dependencies, provides, environment, templates }
      assertMetadata(metadata)
      const resource = body.resource === undefined ? undefined : await ingest.reuse(body.resource)
      if (resource) await quota.assert(namespace, resource.length)
      const made = await packages.create({
        namespace,
        name,
        ...applyMetadataFields(
          { environment: given.environment, templates: [...given.templates, ...templates.map(canonicalTemplate)] },
          { provides_add: provides, dependencies_add: dependencies, environment_set: environment },
        ),
        ...(resource ? { resource } : {}),
        ...(body.state === undefined ? {} : { state: body.state }),
        ...(body.version === undefined ? {} : { version: body.version }),
        ...(body.description === undefined ? {} : { description: body.description }),
        ...(body.manifest === undefined ? {} : { manifest: given.manifest }),
      })
      return reply.code(201).header('location', `/v1/packages/${made.uuid}`).send(renderPackage(made))
    },
  )

  api.get(
    '/v1/packages/:ref',
    {
      access: readsNamed('package'),
      schema: {
        operationId: 'showPackage',
        tags,
        params: RefPath,
        querystring: NoQuery,
        response: { 200: Package, ...REFUSALS },
      },
    },
    async ({ params }) => {
      const found = await packages.get(parseRef(params.ref, 'package'))
      const verified = found.resource && verifications?.get('blob', found.resource.sha256)
      return renderPackage(found, verified)
    },
  )

  api.patch(
    '/v1/packages/:ref',
    {
      access: writesNamed('package'),
      schema: {
        operationId: 'updatePackage',
        tags,
        params: RefPath,
        querystring: NoQuery,
        body: PackageChange,
        response: { 200: Package, ...REFUSALS },
      },
    },
    async ({ params, body }) => {
      const { name } = body
      if (name !== undefined) assertNewName(name)
      const manifest =
        body.manifest === undefined
          ? undefined
          : withStartCommandOf(body.environment_set ?? {}, parseKeptManifest(body.manifest))
      const changed = await packages.update(parseRef(params.ref, 'package'), (found) => {
        const given = manifest ? withManifest(found, manifest) : found
        const metadata = applyMetadataFields(given, body)
        return { ...metadata, manifest: given.manifest, ...(name === undefined ? {} : { name }) }
      })
      return renderPackage(changed)
    },
  )

  api.put(
    '/v1/packages/:ref/resource',
    {
      access: writesNamed('package', ({ resource }: Static<typeof PackageResourceChange>) => [
        reading('resource', resource),
      ]),
      schema: {
        operationId: 'attachResource',
        tags,
        params: RefPath,
        querystring: NoQuery,
        body: PackageResourceChange,
        response: { 200: Package, ...REFUSALS },
      },
    },
    async ({ params, body }) => {
      const ref = parseRef(params.ref, 'package')
      const resource = await ingest.reuse(body.resource)
      await quota.assert((await packages.get(ref)).namespace, resource.length)
      return renderPackage(await packages.attach(ref, resource, body.state ?? 'uploaded'))
    },
  )

  api.put(
    '/v1/packages/:ref/content',
    {
      access: writesNamed('package', ({ from }: PackageReplacement) => [writing('package', from)]),
      schema: {
        operationId: 'replacePackageContent',
        tags,
        params: RefPath,
        querystring: NoQuery,
        body: PackageReplacement,
        response: { 200: Package, ...REFUSALS },
      },
    },
    async ({ params, body }) => {
      const target = parseRef(params.ref, 'package')
      return renderPackage(await packages.replace(target, parseRef(body.from, 'package')))
    },
  )

  api.delete(
    '/v1/packages/:ref',
    {
      access: writesNamed('package'),
      schema: {
        operationId: 'deletePackage',
        tags,
        params: RefPath,
        querystring: NoQuery,
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params }, reply) => {
      await packages.delete(parseRef(params.ref, 'package'))
      return reply.code(204).send(null)
    },
  )
}

/** Throws `BadInput` (`namespace-fixed`, `bad-name`). */
function assertNewName(name: string): void {
  if (name.includes('::'))
    throw new BadInput(
      'namespace-fixed',
      `${quote(name)} is not a local name: the namespace of a package cannot be changed; to move the package, export it and import it into the other namespace.`,
    )
  assertLocalName(name)
}
