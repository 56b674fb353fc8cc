import type { Delivery, DeliveryOutcome, Webhook } from '../model/webhook.js'

/** What is kept of deliveries that wait. */
export interface DeliveryBounds {
  /** Older ones are dropped. */
  readonly oldest: Date
  /** Of one webhook. Above that, the oldest are dropped. */
  readonly waiting: number
}

/** A delivery that was dropped. */
export type Dropped = Pick<Delivery, 'id' | 'staging' | 'attempts'> & { readonly webhook: string }

/**
 * As the other repositories: each method is one transaction, which is durable when the method resolves.
 *
 * Deliveries are recorded by the transaction that ends a staging, in the database itself (migration 15), so that no way to end
 * one can leave it out. A webhook that is deleted takes those that wait for it with it.
 */
export interface WebhookRepository {
  /** Throws `Conflict` (`too-many-webhooks`). */
  create(webhook: Pick<Webhook, 'namespace' | 'url' | 'on' | 'createdAt'>, secret: string): Promise<Webhook>
  /** Oldest first. */
  list(): Promise<readonly Webhook[]>
  /** Throws `NotFound` (`webhook-not-found`). */
  get(uuid: string): Promise<Webhook>
  /** What its deliveries need. Throws `NotFound` (`webhook-not-found`). */
  target(uuid: string): Promise<Delivery['webhook']>
  /** Throws `NotFound` (`webhook-not-found`). */
  delete(uuid: string): Promise<Webhook>

  /** Those that were due at `time`, the oldest first, and at most `each` for one webhook. */
  due(time: Date, each: number): Promise<readonly Delivery[]>
  /** When the first of those is due that are due after `time`. */
  nextDue(time: Date): Promise<Date | undefined>
  /** Records an attempt before it is made. The delivery is due again then, unless `settle` ends it. */
  begin(id: string, dueAt: Date): Promise<void>
  /** Records what came of an attempt. With `dueAt` there is another one; without, the delivery has ended. */
  settle(delivery: Pick<Delivery, 'id' | 'webhook'>, outcome: DeliveryOutcome, dueAt?: Date): Promise<void>
  drop(bounds: DeliveryBounds): Promise<readonly Dropped[]>
  /** How many deliveries wait. */
  waiting(): Promise<number>
}
