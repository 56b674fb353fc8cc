import type { Receiver, Webhook } from '../../model/webhook.js'
import { sql, type Work } from './work.js'

/** Inside a transaction. */
export function* insertWebhook(
  webhook: Receiver & Pick<Webhook, 'namespace' | 'staging' | 'on' | 'createdAt'>,
): Work<void> {
  const { uuid, namespace, staging, url, on, sealed, createdAt } = webhook
  yield* sql.run(
    'INSERT INTO webhooks (uuid, namespace, staging, url, states, secret, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ...[uuid, namespace, staging ?? null, url, JSON.stringify(on), sealed, createdAt],
  )
}
