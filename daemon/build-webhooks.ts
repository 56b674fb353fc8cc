import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { renderStaging } from './api/render-staging.js'
import type { WebhookRoutesParts } from './api/routes/webhooks.js'
import { WebhookMetrics } from './metrics/webhook-metrics.js'
import { OutboundClient } from './outbound/outbound-client.js'
import type { Seal } from './secrets/seal.js'
import { WebhookSecrets } from './secrets/webhook-secrets.js'
import type { Settings } from './settings/settings.js'
import type { StagingLedger } from './store/staging-ledger.js'
import type { WebhookRepository } from './store/webhook-repository.js'
import { Deliveries } from './webhooks/deliveries.js'
import { Receivers } from './webhooks/receivers.js'

export interface WebhooksParts {
  readonly webhooks: WebhookRepository
  readonly ledger: Pick<StagingLedger, 'get'>
  readonly registry: Registry
  readonly seal: Seal
  /** PEM. Authorities that are trusted besides those that come with Node.js. */
  readonly authorities: string | undefined
  readonly settings: Pick<Settings, 'webhookNetworks' | 'proxy'>
  readonly version: string
  readonly logger: Logger
}

/** What webhooks need, with their metrics. */
export function buildWebhooks(parts: WebhooksParts): {
  readonly deliveries: Deliveries
  readonly receivers: Receivers
  readonly routes: WebhookRoutesParts
  /** Of secrets that an older stagerd has stored as they are; to be called at the start, and after a restore. */
  readonly seal: () => Promise<void>
} {
  const { webhooks, ledger, registry, seal, authorities, settings, version, logger } = parts
  const { http, https, exceptions } = settings.proxy
  const outbound = new OutboundClient({
    networks: settings.webhookNetworks,
    setting: 'webhook-networks',
    authorities,
    proxies: { http: http?.url, https: https?.url, exceptions },
  })
  const secrets = new WebhookSecrets(seal)
  const receivers = new Receivers({ outbound, secrets })
  const metrics = new WebhookMetrics({ registry, webhooks })
  const deliveries = new Deliveries({
    ...{ webhooks, ledger, version, logger, secrets, client: outbound },
    render: (staging) => renderStaging(staging),
    attempted: (result) => metrics.attempted(result),
    ended: (result) => metrics.ended(result),
  })
  return {
    deliveries,
    receivers,
    routes: { webhooks, ledger, receivers, deliveries },
    seal: () => webhooks.sealAll((uuid, secret) => secrets.close(uuid, secret)),
  }
}
