import { BadInput, NotFound } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'
import type { Webhook } from '../../daemon/documents/webhook.js'
import type { Session } from '../session/session.js'

/**
 * The ID of a webhook, given whole, by its beginning, or by the URL. Throws `NotFound` (`webhook-not-found`), `BadInput`
 * (`webhook-ambiguous`).
 */
export async function findWebhookId({ api, signal }: Session, text: string): Promise<string> {
  if (isUuid(text)) return text
  const webhooks = await api.get<Webhook[]>('/v1/webhooks', { signal })
  const [found, another] = webhooks.filter(({ uuid, url }) => uuid.startsWith(text.toLowerCase()) || url === text)
  if (!found)
    throw new NotFound(
      'webhook-not-found',
      `No webhook has an ID that begins with ${quote(text)}, or that URL: see \`stagectl webhook list\`.`,
    )
  if (another)
    throw new BadInput('webhook-ambiguous', `Several webhooks fit ${quote(text)}: give the ID of one, or more of it.`)
  return found.uuid
}
