import { Type } from 'typebox'
import { BadInput } from '../../../base/errors.js'
import { assertLocalName, assertNamespace } from '../../../base/fqn.js'
import { hashOf, makeSecret } from '../../access/secret.js'
import { DEFAULT_LIFETIME_MS, MadeToken, Token as TokenDocument, TokenDraft } from '../../documents/token.js'
import type { Token } from '../../model/token.js'
import type { TokenRepository } from '../../store/token-repository.js'
import { ADMINISTRATORS } from '../access.js'
import type { Api } from '../fastify.js'
import { NoQuery, REFUSALS } from './schemas.js'

const tags = ['tokens']
const NamePath = Type.Object({ name: Type.String({ minLength: 1 }) }, { additionalProperties: false })

export interface TokenRoutesParts {
  readonly tokens: Pick<TokenRepository, 'create' | 'list' | 'delete'>
}

export function tokenRoutes(api: Api, { tokens }: TokenRoutesParts): void {
  api.get(
    '/v1/tokens',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'listTokens',
        tags,
        description: 'also those that have expired',
        querystring: NoQuery,
        response: { 200: Type.Array(TokenDocument), ...REFUSALS },
      },
    },
    async () => (await tokens.list()).map(render),
  )

  api.post(
    '/v1/tokens',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'createToken',
        tags,
        querystring: NoQuery,
        body: TokenDraft,
        response: { 201: MadeToken, ...REFUSALS },
      },
    },
    async ({ body, notes }, reply) => {
      const { name, access, lifetime_ms: lifetimeMs = DEFAULT_LIFETIME_MS } = body
      notes.targets = [name]
      assertLocalName(name)
      const namespaces = namespacesOf(body)
      const now = Date.now()
      const secret = makeSecret()
      const made = await tokens.create(
        {
          name,
          access,
          namespaces,
          createdAt: new Date(now).toISOString(),
          expiresAt: new Date(now + lifetimeMs).toISOString(),
        },
        hashOf(secret) ?? '',
      )
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...render(made), token: secret })
    },
  )

  api.delete(
    '/v1/tokens/:name',
    {
      access: ADMINISTRATORS,
      schema: {
        operationId: 'revokeToken',
        tags,
        description: 'no request is accepted with it any more; those that are being answered go on',
        params: NamePath,
        querystring: NoQuery,
        response: { 200: TokenDocument, ...REFUSALS },
      },
    },
    async ({ params, notes }) => {
      notes.targets = [params.name]
      return render(await tokens.delete(params.name))
    },
  )
}

/** Throws `BadInput` (`bad-document`, `bad-namespace`). */
function namespacesOf({ access, namespaces = [] }: TokenDraft): readonly string[] {
  namespaces.forEach(assertNamespace)
  if (access === 'administrator' && namespaces.length > 0)
    throw new BadInput('bad-document', 'The token of an administrator is not limited to "namespaces": leave them out.')
  if (access !== 'administrator' && namespaces.length === 0)
    throw new BadInput('bad-document', 'A token needs the "namespaces" that it is for: name at least one.')
  return [...new Set(namespaces)]
}

function render({ uuid, name, access, namespaces, createdAt, expiresAt }: Token): TokenDocument {
  return { uuid, name, access, namespaces: [...namespaces], created_at: createdAt, expires_at: expiresAt }
}
