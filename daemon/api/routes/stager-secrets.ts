import { Type } from 'typebox'
import { SecretDraft, StagerSecret } from '../../documents/secret.js'
import type { Secrets, StoredSecret } from '../../secrets/secrets.js'
import type { StagerRepository } from '../../store/repositories.js'
import { readsNamed, writesNamed } from '../access.js'
import type { Api } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import { NoQuery, Nothing, RefPath, REFUSALS } from './schemas.js'

const SecretPath = Type.Object({ ...RefPath.properties, name: Type.String({ description: 'name of the secret' }) })

export interface StagerSecretRoutesParts {
  readonly stagers: Pick<StagerRepository, 'get'>
  readonly secrets: Pick<Secrets, 'list' | 'set' | 'remove'>
}

export function stagerSecretRoutes(api: Api, { stagers, secrets }: StagerSecretRoutesParts): void {
  const common = { tags: ['stagers'], querystring: NoQuery }
  const uuidOf = async (ref: string) => (await stagers.get(parseRef(ref, 'job'))).uuid

  api.get(
    '/v1/stagers/:ref/secrets',
    {
      access: readsNamed('job'),
      schema: {
        operationId: 'listStagerSecrets',
        description: 'the names of the secrets that it has itself; nobody gets their values back',
        ...common,
        params: RefPath,
        response: { 200: Type.Array(StagerSecret), ...REFUSALS },
      },
    },
    async ({ params }) => (await secrets.list(await uuidOf(params.ref))).map(render),
  )

  api.put(
    '/v1/stagers/:ref/secrets/:name',
    {
      access: writesNamed('job'),
      schema: {
        operationId: 'setStagerSecret',
        description: 'given to every launch of the stager from now on; one of the same name is replaced',
        ...common,
        params: SecretPath,
        body: SecretDraft,
        response: { 200: StagerSecret, ...REFUSALS },
      },
    },
    async ({ params, body }) =>
      render(await secrets.set(await uuidOf(params.ref), params.name, Buffer.from(body.value, 'base64'))),
  )

  api.delete(
    '/v1/stagers/:ref/secrets/:name',
    {
      access: writesNamed('job'),
      schema: {
        operationId: 'removeStagerSecret',
        ...common,
        params: SecretPath,
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ params }, reply) => {
      await secrets.remove(await uuidOf(params.ref), params.name)
      return reply.code(204).send(null)
    },
  )
}

function render({ name, updatedAt }: StoredSecret): StagerSecret {
  return { name, updated_at: updatedAt }
}
