import { Type } from 'typebox'
import { Conflict } from '../../../base/errors.js'
import { assertLocalName, assertNamespace, formatFqn, quote } from '../../../base/fqn.js'
import type { Limits } from '../../../isolation/launch-plan.js'
import { assertSecretNames } from '../../secrets/rules.js'
import type { Capability } from '../../packages/metadata.js'
import { assertCommand, assertUser } from '../../packages/validate.js'
import type { PackageRepository, Stager, StagerRepository } from '../../store/repositories.js'
import { applyMetadataFields } from '../../packages/metadata-fields.js'
import { Stager as StagerDocument, StagerChange, StagerDraft } from '../../documents/stager.js'
import { lists, puttingInto, reading, readingAll, readsNamed, writes, writesNamed } from '../access.js'
import type { Api } from '../fastify.js'
import { listed } from '../listed.js'
import { parseRef } from '../parse-ref.js'
import { parseLimits } from '../../documents/convert-limits.js'
import { renderStager } from '../render-stager.js'
import { NamespaceQuery, NoQuery, Nothing, RefPath, REFUSALS } from './schemas.js'

const tags = ['stagers']

/** The operating-system packages that come with stagerd all have it. */
const DEFAULT_USER = 'runner'

export interface StagerRoutesParts {
  readonly packages: Pick<PackageRepository, 'get'>
  readonly stagers: StagerRepository
  /** Limits that a stager does not set. */
  readonly limits: Limits
}

export function stagerRoutes(api: Api, { packages, stagers, limits }: StagerRoutesParts): void {
  const render = async (stager: Stager) => renderStager(stager, await packages.get({ uuid: stager.packageUuid }))

  api.get(
    '/v1/stagers',
    {
      access: lists(({ namespace }: StagerDocument) => namespace),
      schema: {
        operationId: 'listStagers',
        tags,
        querystring: NamespaceQuery,
        response: { 200: Type.Array(StagerDocument), ...REFUSALS },
      },
    },
    async ({ query }) => {
      if (query.namespace !== undefined) assertNamespace(query.namespace)
      return Promise.all(listed(await stagers.list(query), query).map(render))
    },
  )

  api.post(
    '/v1/stagers',
    {
      access: writes(({ body }: { body: StagerDraft }) => [
        puttingInto(body.namespace, formatFqn('job', body)),
        reading('package', body.package),
      ]),
      schema: {
        operationId: 'createStager',
        tags,
        querystring: NoQuery,
        body: StagerDraft,
        response: { 201: StagerDocument, ...REFUSALS },
      },
    },
    async ({ body }, reply) => {
      const { namespace, name, start_command: startCommand, user = DEFAULT_USER } = body
      assertNamespace(namespace)
      assertLocalName(name)
      assertCommand(startCommand)
      assertUser(user)
      const secrets = withNames([], body.secrets)
      const { dependencies, environment } = applyMetadataFields(
        {},
        { dependencies_add: body.dependencies ?? [], environment_set: body.environment ?? {} },
      )
      const made = await stagers.create({
        namespace,
        name,
        packageUuid: (await packages.get(parseRef(body.package, 'package'))).uuid,
        startCommand,
        additive: body.additive ?? false,
        egress: body.allow_egress ?? false,
        reproducible: body.reproducible ?? false,
        cleanEnvironment: body.clean_environment ?? false,
        secrets,
        user,
        limits: { ...limits, ...parseLimits(body.limits) },
        dependencies,
        expects: withCapabilities([], body.expects),
        labels: body.labels ?? [],
        environment,
      })
      return reply
        .code(201)
        .header('location', `/v1/stagers/${made.uuid}`)
        .send(await render(made))
    },
  )

  api.get(
    '/v1/stagers/:ref',
    {
      access: readsNamed('job'),
      schema: {
        operationId: 'showStager',
        tags,
        params: RefPath,
        querystring: NoQuery,
        response: { 200: StagerDocument, ...REFUSALS },
      },
    },
    async ({ params }) => render(await stagers.get(parseRef(params.ref, 'job'))),
  )

  api.patch(
    '/v1/stagers/:ref',
    {
      access: writesNamed('job', (body: StagerChange) => readingAll('package', [body.package])),
      schema: {
        operationId: 'updateStager',
        tags,
        params: RefPath,
        querystring: NoQuery,
        body: StagerChange,
        response: { 200: StagerDocument, ...REFUSALS },
      },
    },
    async ({ params, body }) => {
      if (body.name !== undefined) assertLocalName(body.name)
      if (body.start_command !== undefined) assertCommand(body.start_command)
      if (body.user !== undefined) assertUser(body.user)
      const program = body.package === undefined ? undefined : await packages.get(parseRef(body.package, 'package'))
      const changed = await stagers.update(parseRef(params.ref, 'job'), (found) => {
        assertExpected(found, body.environment_expected)
        const { dependencies, environment } = applyMetadataFields(
          { dependencies: found.dependencies, environment: found.environment },
          body,
        )
        return {
          ...(body.name === undefined ? {} : { name: body.name }),
          ...(program ? { packageUuid: program.uuid } : {}),
          ...(body.start_command === undefined ? {} : { startCommand: body.start_command }),
          ...(body.additive === undefined ? {} : { additive: body.additive }),
          ...(body.allow_egress === undefined ? {} : { egress: body.allow_egress }),
          ...(body.reproducible === undefined ? {} : { reproducible: body.reproducible }),
          ...(body.clean_environment === undefined ? {} : { cleanEnvironment: body.clean_environment }),
          secrets: withNames(found.secrets, body.secrets_add, body.secrets_remove),
          ...(body.user === undefined ? {} : { user: body.user }),
          limits: { ...found.limits, ...parseLimits(body.limits) },
          dependencies,
          expects: withCapabilities(found.expects, body.expects_add, body.expects_remove),
          ...(body.labels === undefined ? {} : { labels: body.labels }),
          environment,
        }
      })
      return render(changed)
    },
  )

  api.delete(
    '/v1/stagers/:ref',
    {
      access: writesNamed('job'),
      schema: {
        operationId: 'deleteStager',
        tags,
        params: RefPath,
        querystring: NoQuery,
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params }, reply) => {
      await stagers.delete(parseRef(params.ref, 'job'))
      return reply.code(204).send(null)
    },
  )
}

/** Removals come first, so a name in both lists exists afterwards. Throws as `assertSecretNames`. */
function withNames(
  before: readonly string[] = [],
  add: readonly string[] = [],
  remove: readonly string[] = [],
): string[] {
  const names = [...new Set([...before.filter((name) => !remove.includes(name)), ...add])].sort()
  assertSecretNames(names)
  return names
}

/** Removals come first. Throws as `applyMetadataFields`. */
function withCapabilities(
  before: readonly Capability[] = [],
  add: readonly Capability[] = [],
  remove: readonly Capability[] = [],
): readonly Capability[] {
  const fields = { dependencies_add: add, dependencies_remove: remove }
  return applyMetadataFields({ dependencies: before }, fields).dependencies
}

/** Whoever changes a value that it has read, such as a list, names what it has read: another change is not undone then. */
function assertExpected(found: Stager, expected: StagerChange['environment_expected'] = {}): void {
  const other = Object.entries(expected).find(([name, value]) => (found.environment[name] ?? null) !== value)
  if (!other) return
  throw new Conflict(
    'environment-changed',
    `The variable ${quote(other[0])} of ${formatFqn('job', found)} is not what the change expects, because somebody else has changed it: read it again.`,
  )
}
