import type { Seal } from './seal.js'

/** What the secret of a webhook begins with, by the Standard Webhooks specification. Base64 has no underscore. */
const PLAIN = 'whsec_'

/** Seals the secrets that deliveries to webhooks are signed with. Each is bound to its webhook. */
export class WebhookSecrets {
  constructor(private readonly seal: Seal) {}

  close(webhookUuid: string, secret: string): string {
    return this.seal.close(Buffer.from(secret), placeOf(webhookUuid)).toString('base64')
  }

  /** Throws `Fault` (`secrets-lost`). */
  open(webhookUuid: string, sealed: string): string {
    // As an older stagerd has stored it. The daemon seals it when it starts, and after a restore.
    if (sealed.startsWith(PLAIN)) return sealed
    return this.seal.open(Buffer.from(sealed, 'base64'), placeOf(webhookUuid)).toString()
  }
}

function placeOf(webhookUuid: string): string {
  return `webhook ${webhookUuid}`
}
