import { Type, type Static } from 'typebox'
import { assertNamespace, isWithin } from '../../../base/fqn.js'
import { mayChange, type Caller } from '../../access/caller.js'
import {
  MadeWebhook,
  ReceiversDraft,
  Webhook as WebhookDocument,
  WebhookDraft,
  WebhookTest,
} from '../../documents/webhook.js'
import { originOf, WEBHOOK_STATES, type Webhook } from '../../model/webhook.js'
import type { StagingLedger } from '../../store/staging-ledger.js'
import type { WebhookRepository } from '../../store/webhook-repository.js'
import type { Deliveries } from '../../webhooks/deliveries.js'
import type { Receivers } from '../../webhooks/receivers.js'
import { makeWebhookSecret } from '../../webhooks/signature.js'
import { HOLDERS, lists, puttingInto, writes, writesByUuid } from '../access.js'
import type { Api } from '../fastify.js'
import { NamespaceQuery, Nothing, NoQuery, REFUSALS, UuidPath } from './schemas.js'

const tags = ['webhooks']
const WebhookQuery = Type.Object(
  {
    ...NamespaceQuery.properties,
    staging: Type.Optional(
      Type.String({
        format: 'uuid',
        description:
          'those that the call of this staging has named, and that have not been told; default: those of namespaces',
      }),
    ),
  },
  { additionalProperties: false },
)
type WebhookQuery = Static<typeof WebhookQuery>

export interface WebhookRoutesParts {
  readonly webhooks: Pick<WebhookRepository, 'create' | 'get' | 'list' | 'delete'>
  readonly ledger: Pick<StagingLedger, 'get'>
  readonly receivers: Pick<Receivers, 'accept'>
  readonly deliveries: Pick<Deliveries, 'ping'>
}

export function webhookRoutes(api: Api, { webhooks, ledger, receivers, deliveries }: WebhookRoutesParts): void {
  api.get(
    '/v1/webhooks',
    {
      access: lists(
        ({ namespace }: WebhookDocument) => namespace,
        ({ query: { staging } }: { query: WebhookQuery }) =>
          staging === undefined ? [] : [{ right: 'read', kind: 'staging', ref: staging }],
      ),
      schema: {
        operationId: 'listWebhooks',
        tags,
        querystring: WebhookQuery,
        response: { 200: Type.Array(WebhookDocument), ...REFUSALS },
      },
    },
    async ({ query, caller }: { query: WebhookQuery; caller: Caller }) =>
      (await webhooks.list(query.staging && (await ledger.get(query.staging)).uuid))
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
      const receiver = receivers.accept({ url: body.url, secret })
      const made = await webhooks.create({ ...receiver, namespace, on, createdAt: new Date().toISOString() })
      notes.receivers = [originOf(receiver)]
      notes.targets = [...notes.targets, `webhook ${made.uuid}`]
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...render(made, caller), secret })
    },
  )

  api.post(
    '/v1/webhooks/check',
    {
      access: HOLDERS,
      schema: {
        operationId: 'checkReceivers',
        tags,
        description:
          'refuses what POST /v1/stagings would refuse of its `notify`, so that a client knows before it sends the source; it connects to nothing',
        querystring: NoQuery,
        body: ReceiversDraft,
        response: { 204: Nothing, ...REFUSALS },
      },
    },
    async ({ body }, reply) => {
      for (const receiver of body.notify) receivers.accept(receiver)
      return await reply.code(204).send(null)
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

function render(
  { uuid, namespace, staging, url, on, createdAt, waiting, last }: Webhook,
  caller: Caller,
): WebhookDocument {
  return {
    uuid,
    namespace,
    ...(staging === undefined ? {} : { staging }),
    url: mayChange(caller, namespace) ? url : originOf({ url }),
    on: [...on],
    created_at: createdAt,
    waiting,
    ...(last ? { last } : {}),
  }
}
