import { createHmac, randomBytes } from 'node:crypto'
import { BadInput } from '../../base/errors.js'

/**
 * Signatures of deliveries, by the Standard Webhooks specification (https://www.standardwebhooks.com): libraries of many
 * languages verify them.
 */

const PREFIX = 'whsec_'
const NEW_BYTES = 32
const BYTES = { least: 24, most: 64 }

export function makeWebhookSecret(): string {
  return PREFIX + randomBytes(NEW_BYTES).toString('base64')
}

/** The message does not repeat it. Throws `BadInput` (`bad-webhook-secret`). */
export function assertWebhookSecret(secret: string): void {
  const encoded = secret.slice(PREFIX.length)
  const { length } = keyOf(secret)
  if (
    !secret.startsWith(PREFIX) ||
    !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded) ||
    length < BYTES.least ||
    length > BYTES.most
  )
    throw new BadInput(
      'bad-webhook-secret',
      `The secret of a webhook is ${PREFIX} and ${BYTES.least} to ${BYTES.most} bytes in base64: give one of this form, or none to have one made.`,
    )
}

export function signedHeaders(
  secret: string,
  { id, body, time }: { readonly id: string; readonly body: string; readonly time: Date },
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(time.getTime() / 1000))
  const signature = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}

function keyOf(secret: string): Buffer {
  return Buffer.from(secret.slice(PREFIX.length), 'base64')
}
