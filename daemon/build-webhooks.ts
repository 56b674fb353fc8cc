import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { renderStaging } from './api/render-staging.js'
import type { WebhookRoutesParts } from './api/routes/webhooks.js'
import { WebhookMetrics } from './metrics/webhook-metrics.js'
import { OutboundClient } from './outbound/outbound-client.js'
import type { Settings } from './settings/settings.js'
import type { StagingLedger } from './store/staging-ledger.js'
import type { WebhookRepository } from './store/webhook-repository.js'
import { Deliveries } from './webhooks/deliveries.js'

export interface WebhooksParts {
  readonly webhooks: WebhookRepository
  readonly ledger: Pick<StagingLedger, 'get'>
  readonly registry: Registry
  readonly settings: Pick<Settings, 'webhookNetworks' | 'proxy'>
  readonly version: string
  readonly logger: Logger
}

/** What webhooks need, with their metrics. */
export function buildWebhooks({ webhooks, ledger, registry, settings, version, logger }: WebhooksParts): {
  readonly deliveries: Deliveries
  readonly routes: WebhookRoutesParts
} {
  const { http, https, exceptions } = settings.proxy
  const outbound = new OutboundClient({
    networks: settings.webhookNetworks,
    setting: 'webhook-networks',
    proxies: { http: http?.url, https: https?.url, exceptions },
  })
  const metrics = new WebhookMetrics({ registry, webhooks })
  const deliveries = new Deliveries({
    ...{ webhooks, ledger, version, logger, client: outbound },
    render: (staging) => renderStaging(staging),
    attempted: (result) => metrics.attempted(result),
    ended: (result) => metrics.ended(result),
  })
  return { deliveries, routes: { webhooks, outbound, deliveries } }
}
