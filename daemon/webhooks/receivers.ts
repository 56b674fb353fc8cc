import { randomUUID } from 'node:crypto'
import type { Receiver } from '../model/webhook.js'
import type { OutboundClient } from '../outbound/outbound-client.js'
import type { WebhookSecrets } from '../secrets/webhook-secrets.js'
import { assertWebhookSecret } from './signature.js'

export interface NamedReceiver {
  readonly url: string
  readonly secret: string
}

/** Judges the receivers that users name, and seals their secrets. */
export class Receivers {
  constructor(
    private readonly parts: {
      readonly outbound: Pick<OutboundClient, 'parse'>
      readonly secrets: Pick<WebhookSecrets, 'close'>
    },
  ) {}

  /** Throws `BadInput` (`bad-url`, `bad-webhook-secret`), `Refused` (`address-not-listed`, `address-forbidden`). */
  accept({ url, secret }: NamedReceiver): Receiver {
    assertWebhookSecret(secret)
    const { href } = this.parts.outbound.parse(url)
    const uuid = randomUUID()
    return { uuid, url: href, sealed: this.parts.secrets.close(uuid, secret) }
  }
}
