import { Counter, Gauge, type Registry } from 'prom-client'
import { DELIVERY_RESULTS, type DeliveryResult } from '../model/webhook.js'
import type { WebhookRepository } from '../store/webhook-repository.js'

/** What webhooks do, all of them together: there may be many, and their names are those of users. */
export class WebhookMetrics {
  readonly #attempts: Counter<'result'>
  readonly #deliveries: Counter<'result'>

  constructor({
    registry,
    webhooks,
  }: {
    readonly registry: Registry
    readonly webhooks: Pick<WebhookRepository, 'waiting'>
  }) {
    const registers = [registry]
    this.#attempts = new Counter({
      name: 'stagerd_webhook_attempts_total',
      help: 'Requests to webhooks, by what came of them: delivered, refused or failed',
      labelNames: ['result'],
      registers,
    })
    this.#deliveries = new Counter({
      name: 'stagerd_webhook_deliveries_total',
      help: 'Deliveries to webhooks that have ended: delivered, refused, given-up or dropped',
      labelNames: ['result'],
      registers,
    })
    // As the counters of stagings: the first one is an increase, too.
    for (const result of DELIVERY_RESULTS) if (result !== 'waiting') this.#deliveries.inc({ result }, 0)
    new Gauge({
      name: 'stagerd_webhook_deliveries_waiting',
      help: 'Deliveries to webhooks that have not ended',
      registers,
      async collect() {
        this.set(await webhooks.waiting())
      },
    })
  }

  attempted(result: 'delivered' | 'refused' | 'failed'): void {
    this.#attempts.inc({ result })
  }

  ended(result: DeliveryResult): void {
    this.#deliveries.inc({ result })
  }
}
