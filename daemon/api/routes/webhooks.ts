import { Type, type Static } from 'typebox'
import { assertNamespace, isWithin } from '../../../base/fqn.js'
import { mayChange, type Caller } from '../../access/caller.js'
import { MadeWebhook, Webhook as WebhookDocument, WebhookDraft, WebhookTest } from '../../documents/webhook.js'
import { WEBHOOK_STATES, type Webhook } from '../../model/webhook.js'
import type { OutboundClient } from '../../outbound/outbound-client.js'
import type { WebhookRepository } from '../../store/webhook-repository.js'
import type { Deliveries } from '../../webhooks/deliveries.js'
import { assertWebhookSecret, makeWebhookSecret } from '../../webhooks/signature.js'
import { lists, puttingInto, writes, writesByUuid } from '../access.js'
import type { Api } from '../fastify.js'
import { NamespaceQuery, NoQuery, REFUSALS, UuidPath } from './schemas.js'

const tags = ['webhooks']

export interface WebhookRoutesParts {
  readonly webhooks: Pick<WebhookRepository, 'create' | 'get' | 'list' | 'delete'>
  readonly outbound: Pick<OutboundClient, 'parse'>
  readonly deliveries: Pick<Deliveries, 'ping'>
}

export function webhookRoutes(api: Api, { webhooks, outbound, deliveries }: WebhookRoutesParts): void {
  api.get(
    '/v1/webhooks',
    {
      access: lists(({ namespace }: WebhookDocument) => namespace),
      schema: {
        operationId: 'listWebhooks',
        tags,
        querystring: NamespaceQuery,
        response: { 200: Type.Array(WebhookDocument), ...REFUSALS },
      },
    },
    async ({ query, caller }: { query: Static<typeof NamespaceQuery>; caller: Caller }) =>
      (await webhooks.list())
        .filter(({ namespace }) => isWithin(namespace, query.namespace ?? '/'))
        .map((one) => render(one, caller)),
  )

  api.post(
    '/v1/webhooks',
    {
      access: writes(({ body }: { body: WebhookDraft }) => [puttingInto(body.namespace)]),
      schema: {
        operationId: 'createWebhook',
        tags,
        description:
          'deliveries are requests by the Standard Webhooks specification: the body has the type staging.ended, the time of the end, and the staging',
        querystring: NoQuery,
        body: WebhookDraft,
        response: { 201: MadeWebhook, ...REFUSALS },
      },
    },
    async ({ body, caller, notes }, reply) => {
      const { namespace, on = [...WEBHOOK_STATES], secret = makeWebhookSecret() } = body
      assertNamespace(namespace)
      assertWebhookSecret(secret)
      const url = outbound.parse(body.url).href
      const made = await webhooks.create({ namespace, url, on, createdAt: new Date().toISOString() }, secret)
      notes.targets = [...notes.targets, `webhook ${made.uuid}`]
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...render(made, caller), secret })
    },
  )

  api.delete(
    '/v1/webhooks/:uuid',
    {
      access: writesByUuid('webhook'),
      schema: {
        operationId: 'deleteWebhook',
        tags,
        description: 'deliveries that wait for it are not made',
        params: UuidPath,
        querystring: NoQuery,
        response: { 200: WebhookDocument, ...REFUSALS },
      },
    },
    async ({ params, caller }) => render(await webhooks.delete(params.uuid), caller),
  )

  api.post(
    '/v1/webhooks/:uuid/test',
    {
      access: writesByUuid('webhook'),
      schema: {
        operationId: 'testWebhook',
        tags,
        description: 'sends a message of the type ping now, once',
        params: UuidPath,
        querystring: NoQuery,
        response: { 200: WebhookTest, ...REFUSALS },
      },
    },
    async ({ params }): Promise<WebhookTest> => {
      const began = performance.now()
      const { kind, status, message } = await deliveries.ping(params.uuid)
      return {
        delivered: kind === 'delivered',
        ...(status === undefined ? {} : { status }),
        message,
        milliseconds: Math.round(performance.now() - began),
      }
    },
  )
}

function render({ uuid, namespace, url, on, createdAt, waiting, last }: Webhook, caller: Caller): WebhookDocument {
  return {
    uuid,
    namespace,
    url: mayChange(caller, namespace) ? url : new URL(url).origin,
    on: [...on],
    created_at: createdAt,
    waiting,
    ...(last ? { last } : {}),
  }
}
