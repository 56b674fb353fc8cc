import { Type } from 'typebox'
import { assertLocalName, assertNamespace } from '../../../base/fqn.js'
import { parsePolicy } from '../../packages/policy/parse-policy.js'
import type { PolicyRepository } from '../../store/repositories.js'
import type { Wakeups } from '../../store/wakeups.js'
import { Policy, PolicyDraft, PolicyText, PolicyVersion } from '../../documents/policy.js'
import { ADMINISTRATORS } from '../access.js'
import type { Api } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import { renderPolicy } from '../render-policy.js'
import { NamespaceQuery, NoQuery, Nothing, RefPath, REFUSALS } from './schemas.js'

const tags = ['policies']

export interface PolicyRoutesParts {
  readonly policies: PolicyRepository
  readonly wakeups: Pick<Wakeups, 'notify'>
}

/** A text is parsed before it is stored, so every stored document is valid. */
export function policyRoutes(api: Api, { policies, wakeups }: PolicyRoutesParts): void {
  /** What is queued may have waited for it. */
  const changed = () => wakeups.notify('queued', '')

  api.get(
    '/v1/policies',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'listPolicies',
        tags,
        querystring: NamespaceQuery,
        response: { 200: Type.Array(Policy), ...REFUSALS },
      },
    },
    async ({ query }) => {
      if (query.namespace !== undefined) assertNamespace(query.namespace)
      return (await policies.list(query)).map(renderPolicy)
    },
  )

  api.post(
    '/v1/policies',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'createPolicy',
        tags,
        querystring: NoQuery,
        body: PolicyDraft,
        response: { 201: Policy, ...REFUSALS },
      },
    },
    async ({ body }, reply) => {
      assertNamespace(body.namespace)
      assertLocalName(body.name)
      parsePolicy(body.text)
      const made = await policies.create(body)
      changed()
      return reply.code(201).header('location', `/v1/policies/${made.uuid}`).send(renderPolicy(made))
    },
  )

  api.get(
    '/v1/policies/:ref',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'showPolicy',
        tags,
        params: RefPath,
        querystring: NoQuery,
        response: { 200: Policy, ...REFUSALS },
      },
    },
    async ({ params }) => renderPolicy(await policies.get(parseRef(params.ref, 'policydoc'))),
  )

  api.get(
    '/v1/policies/:ref/versions',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'listPolicyVersions',
        tags,
        params: RefPath,
        querystring: NoQuery,
        response: { 200: Type.Array(PolicyVersion), ...REFUSALS },
      },
    },
    async ({ params }) =>
      (await policies.versions(parseRef(params.ref, 'policydoc'))).map(({ version, text, createdAt }) => ({
        version,
        text,
        created_at: createdAt,
      })),
  )

  api.put(
    '/v1/policies/:ref',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'updatePolicy',
        tags,
        params: RefPath,
        querystring: NoQuery,
        body: PolicyText,
        response: { 200: Policy, ...REFUSALS },
      },
    },
    async ({ params, body }) => {
      const ref = parseRef(params.ref, 'policydoc')
      parsePolicy(body.text)
      // A PUT with a name creates the document if it does not exist; with a UUID it cannot.
      const { namespace, name } = 'uuid' in ref ? await policies.get(ref) : ref
      const stored = await policies.put({ namespace, name, text: body.text })
      changed()
      return renderPolicy(stored)
    },
  )

  api.delete(
    '/v1/policies/:ref',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'deletePolicy',
        tags,
        params: RefPath,
        querystring: NoQuery,
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params }, reply) => {
      await policies.delete(parseRef(params.ref, 'policydoc'))
      changed()
      return reply.code(204).send(null)
    },
  )
}
