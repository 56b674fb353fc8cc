import { Type, type Static } from 'typebox'
import { DELIVERY_RESULTS, MOST_OF_A_CALL, WEBHOOK_STATES } from '../model/webhook.js'
import { closed, oneOf } from './schema.js'

const Outcome = Type.Object(
  {
    result: oneOf(DELIVERY_RESULTS, {
      delivered: 'the receiver has accepted it',
      waiting: 'an attempt has failed, and there will be another one',
      refused: 'the receiver does not want it, or its address is not allowed',
      'given-up': 'the last attempt has failed',
      dropped: 'it was too old, or too many were waiting',
    }),
    staging: Type.String({ description: 'UUID' }),
    at: Type.String(),
    attempts: Type.Integer(),
    message: Type.String({ description: 'what came back, in one sentence' }),
  },
  { ...closed, title: 'DeliveryOutcome' },
)

const fields = {
  uuid: Type.String(),
  namespace: Type.String({
    description: 'it is told of packages in this namespace and in those below it; of a call: that of the package',
  }),
  staging: Type.Optional(
    Type.String({ description: 'UUID of the only staging that it is told of, whose call has named it' }),
  ),
  url: Type.String({
    description: 'without its path and query for a token that may not change it, because these may contain a secret',
  }),
  on: Type.Array(oneOf(WEBHOOK_STATES)),
  created_at: Type.String(),
  waiting: Type.Integer({ description: 'how many deliveries wait for it' }),
  last: Type.Optional(Outcome),
}

export const Webhook = Type.Object(fields, { ...closed, title: 'Webhook' })
export type Webhook = Static<typeof Webhook>

/** The only document with the secret of a webhook. */
export const MadeWebhook = Type.Object(
  { ...fields, secret: Type.String({ description: 'what its deliveries are signed with; it is not shown again' }) },
  { ...closed, title: 'MadeWebhook' },
)
export type MadeWebhook = Static<typeof MadeWebhook>

const url = Type.String({ maxLength: 2000, description: 'http or https, without a password' })
const SECRET = '"whsec_" and 24 to 64 bytes in base64'

/** In POST /v1/stagings, and in POST /v1/webhooks/check. */
export const Receivers = Type.Array(
  Type.Object(
    { url, secret: Type.String({ maxLength: 200, description: `what its delivery is signed with: ${SECRET}` }) },
    { ...closed, title: 'Receiver' },
  ),
  {
    maxItems: MOST_OF_A_CALL,
    description:
      'webhooks that are told of the end of this staging, whatever it is, besides those of namespaces; deleted when they have been',
  },
)

/** POST /v1/webhooks/check */
export const ReceiversDraft = Type.Object({ notify: Receivers }, { ...closed, title: 'ReceiversDraft' })

/** POST /v1/webhooks */
export const WebhookDraft = Type.Object(
  {
    url,
    namespace: Type.String({ description: '"/" is that of the node' }),
    on: Type.Optional(
      Type.Array(oneOf(WEBHOOK_STATES), {
        minItems: 1,
        maxItems: WEBHOOK_STATES.length,
        uniqueItems: true,
        description: 'the ends that it is told of; default: all',
      }),
    ),
    secret: Type.Optional(
      Type.String({
        maxLength: 200,
        description: `${SECRET}; default: a new one, which the answer has`,
      }),
    ),
  },
  { ...closed, title: 'WebhookDraft' },
)
export type WebhookDraft = Static<typeof WebhookDraft>

/** The answer of POST /v1/webhooks/{uuid}/test. */
export const WebhookTest = Type.Object(
  {
    delivered: Type.Boolean(),
    status: Type.Optional(Type.Integer({ description: 'of the answer of the receiver, if there is one' })),
    message: Type.String({ description: 'what came back, in one sentence' }),
    milliseconds: Type.Integer(),
  },
  { ...closed, title: 'WebhookTest' },
)
export type WebhookTest = Static<typeof WebhookTest>
