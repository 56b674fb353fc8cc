import type { Delivery, DeliveryOutcome, Receiver, Webhook } from '../model/webhook.js'

/** What is kept of deliveries that wait. */
export interface DeliveryBounds {
  /** Older ones are dropped. */
  readonly oldest: Date
  /** In one lane. Above that, the oldest are dropped. */
  readonly waiting: number
}

/** A delivery that was dropped. */
export type Dropped = Pick<Delivery, 'id' | 'staging' | 'attempts'> & { readonly webhook: string }

/**
 * As the other repositories: each method is one transaction, which is durable when the method resolves.
 *
 * Deliveries are recorded by the transaction that ends a staging, in the database itself (migration 15), so that no way to end
 * one can leave it out. A webhook that is deleted takes those that wait for it with it.
 *
 * Webhooks of a call are made by `StagingLedger.submit`. They are deleted when their delivery has succeeded, and with the
 * record of their staging at the latest.
 */
export interface WebhookRepository {
  /** Throws `Conflict` (`too-many-webhooks`). */
  create(webhook: Receiver & Pick<Webhook, 'namespace' | 'on' | 'createdAt'>): Promise<Webhook>
  /**
   * Oldest first.
   *
   * @param staging for those of the call that has submitted it; default: those of namespaces
   */
  list(staging?: string): Promise<readonly Webhook[]>
  /** Throws `NotFound` (`webhook-not-found`). */
  get(uuid: string): Promise<Webhook>
  /** What its deliveries need. Throws `NotFound` (`webhook-not-found`). */
  target(uuid: string): Promise<Receiver>
  /** Throws `NotFound` (`webhook-not-found`). */
  delete(uuid: string): Promise<Webhook>
  /** Seals the secrets that are stored as they are, because an older stagerd has written them. */
  sealAll(seal: (uuid: string, secret: string) => string): Promise<void>

  /** Those that were due at `time`, the oldest first, and at most `each` of one lane. */
  due(time: Date, each: number): Promise<readonly Delivery[]>
  /** When the first of those is due that are due after `time`. */
  nextDue(time: Date): Promise<Date | undefined>
  /**
   * Records an attempt before it is made. The delivery is due again then, unless `settle` ends it.
   *
   * @returns whether this caller is the one to make it: false if another node has begun it, or it is not there any more
   */
  begin(delivery: Pick<Delivery, 'id' | 'attempts'>, dueAt: Date): Promise<boolean>
  /** Records what came of an attempt. With `dueAt` there is another one; without, the delivery has ended. */
  settle(delivery: Pick<Delivery, 'id' | 'webhook'>, outcome: DeliveryOutcome, dueAt?: Date): Promise<void>
  drop(bounds: DeliveryBounds): Promise<readonly Dropped[]>
  /** How many deliveries wait. */
  waiting(): Promise<number>
}
